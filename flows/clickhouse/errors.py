"""What ClickHouse's errors mean to a writer: a row that is bad, trouble that passes, or a refusal that does not."""

import re

_DATA = frozenset(
    {6, 25, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 321, 349, 376, 407, 441, 467, 469, 675, 676}
)
"""Codes that a row which cannot be read, converted or accepted gives."""
_REFUSALS = frozenset({16, 36, 46, 47, 48, 50, 60, 62, 63, 73, 81, 115, 164, 192, 193, 194, 195, 497, 516})
"""Codes that do not go away by waiting: a table that is not there, a wrong password, a statement that is wrong."""


class StoreError(Exception):
    """ClickHouse refused a statement; `code` is its error code, None where it gave no answer at all."""

    def __init__(self, message: str, code: int | None):
        super().__init__(message)
        self.code = code


class Trouble(StoreError):
    """ClickHouse was away, busy or full, for longer than `retry_s` where it was retried."""


class BadBlock(StoreError):
    """A row of the block cannot be stored; nothing of the block was."""


class MigrationError(Exception):
    """The files of migrations and what was applied do not agree; the message is one line."""


_CODE = re.compile(r"Code: (\d+)\. DB::Exception")


def by_code(message: str, code: int | None) -> StoreError:
    """The error of a message that has this code."""
    kind = BadBlock if code in _DATA else StoreError if code in _REFUSALS else Trouble
    return kind(one_line(message), code)


def in_answer(body: str) -> StoreError:
    """The error that the body of an answer tells of, where the answer should have none: the status may say 200.

    >>> in_answer("Code: 241. DB::Exception: Memory limit exceeded")
    Trouble('an answer that should be empty says: Code: 241. DB::Exception: Memory limit exceeded')
    """
    found = _CODE.search(body)
    return by_code(f"an answer that should be empty says: {body[:500]}", int(found[1]) if found else None)


def one_line(text: str) -> str:
    """The words of a text, without its lines."""
    return " ".join(text.split())
