"""Refusal: why a process will not start or cannot go on, in one line for the person who started it."""


class Refused(Exception):
    """The state of the world contradicts what was asked; a retry without a change would meet it again."""


class Unreachable(Exception):
    """A service stayed away longer than allowed; a later start goes on where this one left off."""
