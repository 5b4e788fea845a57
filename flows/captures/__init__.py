"""Captures: recorded frames in files, read, converted and summed up."""
