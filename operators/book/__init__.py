"""The order book: continuity, ladder, and what is read off it."""
