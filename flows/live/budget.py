"""Budget: so much in a time, as venues count requests, messages and connections."""

import asyncio
import time
from collections import deque


class Budget:
    """At most `amount` within any `per_s`, wherever the venue's own count begins; first come, first served."""

    def __init__(self, amount: float, per_s: float) -> None:
        self._amount = amount
        self._per_s = per_s
        self._left = amount
        self._taken: deque[tuple[float, float]] = deque()
        """When it was taken, and how much, within the last `per_s`."""
        self._closed_until_s = 0.0
        self._turn = asyncio.Lock()

    async def take(self, much: float = 1.0) -> None:
        """Wait until there is so much; what is more than there ever is waits for all of it."""
        async with self._turn:
            while True:
                now_s = time.monotonic()
                while self._taken and self._taken[0][0] + self._per_s <= now_s:
                    self._left += self._taken.popleft()[1]
                wait_s = self._closed_until_s - now_s
                if self._left < much and self._taken:
                    wait_s = max(wait_s, self._taken[0][0] + self._per_s - now_s)
                if wait_s <= 0:
                    self._left -= much
                    self._taken.append((now_s, much))
                    return
                await asyncio.sleep(wait_s)

    def close(self, for_s: float) -> None:
        """The venue asks to be left alone for a time."""
        self._closed_until_s = max(self._closed_until_s, time.monotonic() + for_s)
