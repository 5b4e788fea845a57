"""Budget: so much in a time, as venues count requests, messages and connections."""

import asyncio
import time


class Budget:
    """A bucket that holds `amount` and fills again within `per_s`; waiting is first come, first served."""

    def __init__(self, amount: float, per_s: float) -> None:
        self._amount = amount
        self._rate = amount / per_s
        self._left = amount
        self._at_s = time.monotonic()
        self._closed_until_s = 0.0
        self._turn = asyncio.Lock()

    async def take(self, much: float = 1.0) -> None:
        """Wait until there is so much."""
        async with self._turn:
            while True:
                now_s = time.monotonic()
                self._left = min(self._amount, self._left + (now_s - self._at_s) * self._rate)
                self._at_s = now_s
                wait_s = max(self._closed_until_s - now_s, (min(much, self._amount) - self._left) / self._rate)
                if wait_s <= 0:
                    self._left -= much
                    return
                await asyncio.sleep(wait_s)

    def close(self, for_s: float) -> None:
        """The venue asks to be left alone for a time."""
        self._closed_until_s = max(self._closed_until_s, time.monotonic() + for_s)
