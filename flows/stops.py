"""Stops: the signals that ask a process to stop in good order."""

import signal


def stops() -> tuple[signal.Signals, ...]:
    """A kill's first word, Ctrl-C, and that the terminal is closed, unless it was to be outlived (nohup)."""
    outlived = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT) if outlived else (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
