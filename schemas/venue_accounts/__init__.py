"""Venue accounts: the venues' own account JSON, read as changes of what an account holds there."""
