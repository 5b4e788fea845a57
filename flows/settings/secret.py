"""Secret: a text that no print, log, error line or settings file shows; `reveal` is the one way to it."""


class Secret:
    """A password and its like.

    >>> Secret("open sesame"), str(Secret("open sesame")), bool(Secret(""))
    (Secret(***), '***', False)
    >>> Secret("open sesame").reveal()
    'open sesame'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the client that sends it."""
        return self._text

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"
