"""Operators: pure, columnar, engine-free; one idea a file."""
