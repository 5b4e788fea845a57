"""Alternatives: the same job as one would write it first, for comparison. They read Binance frames only."""
