"""Snapshots: whole books by REST, on the venue's budget; answers that ask for patience are given it."""

import asyncio
import logging
from collections.abc import Callable

import aiohttp
import stamina

from flows.live.budget import Budget
from flows.live.feed import Feed, Snapshots
from flows.monitoring import telemetry

TAKEN = telemetry.LIVE_SNAPSHOTS.counter()
LOG = logging.getLogger("alphaplus.live")
PATIENCE_S = 10.0
"""What is waited after an answer that asks for patience and does not say how much."""
REFUSED_S = 300.0
"""After so long a book is asked for again that the venue would not give: a wrong name stays wrong, a ban passes."""
TOO_MUCH = (418, 429)


class _Later(Exception):
    """The venue cannot answer now."""


class Books:
    """Asks for books one after the other; each instrument waits at most once."""

    def __init__(self, feed: Feed, rest: str, session: aiohttp.ClientSession, proxy: str | None) -> None:
        assert feed.snapshots is not None
        self._venue = feed.venue
        self._wanted: Snapshots = feed.snapshots
        self._rest = rest
        self._session = session
        self._proxy = proxy
        self._budget = Budget(self._wanted.per_minute, 60.0)
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()

    def ask(self, symbol: str) -> None:
        """This book must begin anew."""
        if symbol not in self._waiting:
            self._waiting.add(symbol)
            self._queue.put_nowait(symbol)

    async def run(self, hand: Callable[[str, int, bytes], None]) -> None:
        """Fetch what is asked for, for ever; `hand` takes symbol, update id and answer."""
        while True:
            symbol = await self._queue.get()
            self._waiting.discard(symbol)
            try:
                body = await self._fetch(symbol)
            except (aiohttp.ClientError, TimeoutError, _Later) as error:
                TAKEN.labels(self._venue, "failed").inc()
                LOG.error("%s: no snapshot of %s: %s", self._venue, symbol, error)
                self.ask(symbol)
                await asyncio.sleep(PATIENCE_S)
                continue
            if body is None:
                self.ask_after(REFUSED_S, symbol)
                continue
            TAKEN.labels(self._venue, "taken").inc()
            hand(symbol, *body)

    def ask_after(self, wait_s: float, symbol: str) -> None:
        """This book must begin anew, and could not yet."""
        asyncio.get_running_loop().call_later(wait_s, self.ask, symbol)

    async def _fetch(self, symbol: str) -> tuple[int, bytes] | None:
        async for attempt in stamina.retry_context(
            on=(aiohttp.ClientError, TimeoutError, _Later), attempts=6, wait_initial=0.5, wait_max=20.0, timeout=300.0
        ):
            with attempt:
                return await self._once(symbol)
        return None

    async def _once(self, symbol: str) -> tuple[int, bytes] | None:
        await self._budget.take(self._wanted.weight)
        url = self._rest + self._wanted.path.replace("{SYMBOL}", symbol)
        async with self._session.get(url, proxy=self._proxy, timeout=aiohttp.ClientTimeout(total=20)) as answer:
            body = await answer.read()
            if answer.status in TOO_MUCH:
                told = answer.headers.get("Retry-After", "")
                self._budget.close(float(told) if told.isdigit() else PATIENCE_S)
                raise _Later(f"{answer.status}: asked too often")
            if answer.status >= 500:
                raise _Later(f"{answer.status}: {body[:100].decode(errors='replace')}")
            if answer.status != 200:
                TAKEN.labels(self._venue, "refused").inc()
                LOG.error("%s refuses a snapshot of %s: %s %r", self._venue, symbol, answer.status, body[:100])
                return None
            if (found := self._wanted.id.match(body)) is None:
                raise _Later(f"the answer is no book: {body[:100].decode(errors='replace')}")
            return int(found[1]), body
