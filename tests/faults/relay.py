"""A relay before ClickHouse that is slow, half dead or lying for as long as it is told to be."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.services.store_relay import HANG_UP, Answer, is_block, relay

MODES = ("refuses", "slow", "silent", "lies", "drops")
"""It answers 503; late; not at all, and stores nothing; 200 with an exception, and stores nothing; stores, and loses the answer."""
EXCEPTION = b"Code: 242. DB::Exception: Table is in readonly mode. (TABLE_IS_READ_ONLY)"
SLOW_S = 2.0


class Relay:
    """`mode` is how it behaves now, "" that it passes everything on."""

    def __init__(self, target: int) -> None:
        self.target, self.mode, self.told = target, "", 0

    @contextmanager
    def serve(self) -> Iterator[int]:
        """Its port, while it serves."""
        with relay(self.target, self._before, lambda _: self.mode == "drops") as port:
            try:
                yield port
            finally:
                self.mode = ""

    def _before(self, path: str) -> Answer | None:
        mode = self.mode
        self.told += bool(mode)
        if mode == "refuses":
            return Answer(503, {}, b"")
        if mode == "lies" and is_block(path):
            return Answer(200, {}, EXCEPTION)
        if mode == "silent":
            while self.mode == mode:
                time.sleep(0.05)
            return HANG_UP
        if mode == "slow":
            time.sleep(SLOW_S)
        return None
