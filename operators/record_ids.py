"""Record ids: every derived record begins `{"id":"<key>|<order>"`, and reading that is all that `once` decodes of it.

Key: the parts of the record's natural key joined by `|`, as JSON writes them: a name may hold a quotation mark, which
stands behind a backslash. Order: an integer from 0 to 2**63 that grows from record to record of a key in its log.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.frames import Frames
from schemas.kernels import kernel

I8 = NDArray[np.int64]
U8 = NDArray[np.uint64]
I1 = NDArray[np.int8]

PREFIX = b'{"id":"'
PROBLEMS = (
    "",
    'does not begin with {"id":"',
    "the id is not a string of one line",
    "the id does not end in |<order>, an integer from 0 to 2**63",
)
_BEGIN = np.frombuffer(PREFIX, np.uint8).copy()
_QUOTE, _BACKSLASH, _NEWLINE, _BAR, _ZERO = (int(c) for c in b'"\\\n|0')
_MOST_DIGITS = 19
_HIGHEST = np.uint64(2**63)


class RecordIds(NamedTuple):
    """Of each record: where its key begins and ends in the log's data, its order, and its entry in `PROBLEMS`."""

    begin: I8
    end: I8
    order: U8
    problem: I1


def record_ids(log: Frames) -> RecordIds:
    """The ids of all records.

    >>> from schemas.frames import frames
    >>> log = frames("alerts", 0, [b'{"id":"okx|BTC|1000|17","mid":1}', b'{"mid":1}'], [0, 0])
    >>> ids = record_ids(log)
    >>> log.data[ids.begin[0] : ids.end[0]], ids.order.tolist(), [PROBLEMS[p] for p in ids.problem.tolist()]
    (b'okx|BTC|1000', [17, 0], ['', 'does not begin with {"id":"'])
    """
    n = len(log)
    found = RecordIds(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.uint64), np.zeros(n, np.int8))
    _read(np.frombuffer(log.data, np.uint8), log.starts, *found)
    return found


@kernel
def _read(data: NDArray[np.uint8], starts: I8, begin: I8, end: I8, order: U8, problem: I1) -> None:
    for i in range(len(begin)):
        at, stop = starts[i] + len(_BEGIN), starts[i + 1]
        proper = at <= stop
        for k in range(len(_BEGIN)):
            proper = proper and data[starts[i] + k] == _BEGIN[k]
        if not proper:
            problem[i] = 1
            continue
        begin[i] = at
        bar = -1
        while at < stop and data[at] != _QUOTE and data[at] != _NEWLINE:
            if data[at] == _BAR:
                bar = at
            escaped = data[at] == _BACKSLASH and at + 1 < stop and data[at + 1] != _NEWLINE
            at += 2 if escaped else 1
        if at >= stop or data[at] != _QUOTE:
            problem[i] = 2
            continue
        value = np.uint64(0)
        proper = bar > begin[i] and 0 < at - bar - 1 <= _MOST_DIGITS
        if proper:
            for k in range(bar + 1, at):
                digit = np.uint64(data[k]) - np.uint64(_ZERO)
                proper = proper and digit <= np.uint64(9)
                value = value * np.uint64(10) + digit
        if not proper or value > _HIGHEST:
            problem[i] = 3
            continue
        end[i], order[i] = bar, value
