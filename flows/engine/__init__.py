"""Engine: how a flow runs on Bytewax, from its topics to its sink."""
