"""Recovery: the directory in which a flow keeps its state: whose it is, what for, and that it is unaltered."""
