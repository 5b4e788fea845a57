"""Upkeep: what is done to flows between their runs, and to what they rejected."""
