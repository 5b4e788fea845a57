"""Printable: what comes from outside is data, also on a terminal: no escape sequence, no markup, no hidden sign.

Symbols, account names and error texts of others pass through here before they are printed. What a terminal would act
on, or would not show, is written as Python writes it: `\\x1b`, `\\u202e`.
"""

import unicodedata

_ACTS = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode's categories of signs that act, are invisible or are nothing."""


def printable(text: str, keep: str = "") -> str:
    r"""The text with every sign that would act written out, but for those to `keep`.

    >>> print(printable("BTC\x1b[2J\u202e[/red]"))
    BTC\x1b[2J\u202e[/red]
    >>> printable("two\nlines", keep="\n")
    'two\nlines'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _ACTS else _written(c) for c in text)


def _written(sign: str) -> str:
    return sign.encode("unicode_escape", "surrogatepass").decode()
