"""Session: the processes of a demo or replay, the simulated market that feeds one, and what people see of it."""
