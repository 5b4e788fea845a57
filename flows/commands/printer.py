"""Printer: rich's console for texts that hold data of others."""

from typing import Any

from rich.console import Console
from rich.text import Text

from flows.printable import printable


class Printer(Console):
    """They are shown as they are, in tables too."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **how})

    def render_str(self, text: str, **how: Any) -> Text:
        """As the console does, without what would act."""
        return super().render_str(printable(text, keep="\n"), **how)
