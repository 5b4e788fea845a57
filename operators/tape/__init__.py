"""The tape: what is computed from trades."""
