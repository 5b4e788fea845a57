"""Liquidations: normal form, counts and volumes."""
