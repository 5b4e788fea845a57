"""What ClickHouse's errors mean to a writer: a row that is bad, trouble that passes, or a refusal that does not."""

import re
import ssl

from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError

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


_CODE = re.compile(r"Code: (\d+)\. DB::Exception")


def told_apart(error: ClickHouseError) -> StoreError:
    """The error as one of the three, on one line. What is not known to be final is trouble, so that it is retried."""
    if fault := _certificate_fault(error):
        return StoreError(f"ClickHouse's certificate is not accepted: {fault} (see clickhouse.ca_file)", None)
    code = getattr(error, "code", None)
    if code is None and isinstance(error, ProgrammingError):
        return StoreError(_line(str(error)), None)
    return by_code(str(error), code)


def by_code(message: str, code: int | None) -> StoreError:
    """The error of a message that has this code."""
    kind = BadBlock if code in _DATA else StoreError if code in _REFUSALS else Trouble
    return kind(_line(message), code)


def in_answer(body: str) -> StoreError:
    """The error that the body of an answer tells of, where the answer should have none: the status may say 200.

    >>> in_answer("Code: 241. DB::Exception: Memory limit exceeded")
    Trouble('an answer that should be empty says: Code: 241. DB::Exception: Memory limit exceeded')
    """
    found = _CODE.search(body)
    return by_code(f"an answer that should be empty says: {body[:500]}", int(found[1]) if found else None)


def _line(text: str) -> str:
    return " ".join(text.split())


def _certificate_fault(error: BaseException) -> str | None:
    """Why the server's certificate was not accepted, wherever in the wrappings of the error that stands."""
    left: list[object] = [error]
    seen: set[int] = set()
    while left:
        at = left.pop()
        if isinstance(at, ssl.SSLCertVerificationError):
            return at.verify_message
        if isinstance(at, BaseException) and id(at) not in seen:
            seen.add(id(at))
            left += [at.__cause__, at.__context__, getattr(at, "reason", None), *at.args]
    return None
