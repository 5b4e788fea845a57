"""Told apart: what the client raises, as the error that it means to a writer.

Beside `errors`, so that who only names an error need not load the client, a third of a process's start.
"""

import ssl
from collections.abc import Iterator

from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError

from flows.clickhouse.errors import StoreError, Trouble, by_code, one_line


def told_apart(error: ClickHouseError, url: str) -> StoreError:
    """The error as one of the three, on one line. What is not known to be final is trouble, so that it is retried."""
    wrapped = list(_wrapped(error))
    for at in wrapped:
        if isinstance(at, ssl.SSLCertVerificationError):
            fault = at.verify_message
            return StoreError(f"ClickHouse's certificate is not accepted: {fault} (see clickhouse.ca_file)", None)
    code = getattr(error, "code", None)
    if code is not None:
        return by_code(str(error), code)
    if isinstance(error, ProgrammingError):
        return StoreError(one_line(str(error)), None)
    for at in wrapped:
        # the innermost says it; what the libraries put around it is about themselves
        if isinstance(at, OSError) and (why := at.strerror or str(at)):
            return Trouble(f"ClickHouse at {url}: {one_line(why)}", None)
    return by_code(str(error), None)


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """An error and all that is wrapped in it, wherever that stands."""
    left: list[object] = [error]
    seen: set[int] = set()
    while left:
        at = left.pop()
        if isinstance(at, BaseException) and id(at) not in seen:
            seen.add(id(at))
            yield at
            left += [at.__cause__, at.__context__, getattr(at, "reason", None), *at.args]
