"""Monitoring: what a process says of itself, to Prometheus, to probes and in lines of log."""
