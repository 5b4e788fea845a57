"""Bench: the targets of the design, measured beside the obvious alternatives and the physical bound."""
