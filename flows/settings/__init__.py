"""Settings: what can be set, what it means, and where it comes from."""
