"""Told apart: what the client raises, as the error that it means to a writer.

Beside `errors`, so that who only names an error need not load the client, a third of a process's start.
"""

import ssl

from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError

from flows.clickhouse.errors import StoreError, by_code, one_line


def told_apart(error: ClickHouseError) -> StoreError:
    """The error as one of the three, on one line. What is not known to be final is trouble, so that it is retried."""
    if fault := _certificate_fault(error):
        return StoreError(f"ClickHouse's certificate is not accepted: {fault} (see clickhouse.ca_file)", None)
    code = getattr(error, "code", None)
    if code is None and isinstance(error, ProgrammingError):
        return StoreError(one_line(str(error)), None)
    return by_code(str(error), code)


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
