"""Live: the exchanges' public streams, verbatim into the raw topics or into capture files."""
