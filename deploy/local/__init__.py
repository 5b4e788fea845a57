"""The embedded default: a broker process and a store process on loopback."""
