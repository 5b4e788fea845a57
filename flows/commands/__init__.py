"""Commands: what `alphaplus` can be told to do, one a file."""
