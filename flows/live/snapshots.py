"""Snapshots: whole books by REST, on the venue's budget; answers that ask for patience are given it.

A book by REST ends somewhere (on Binance's futures after 1,000 levels a side, some 20 bps of BTCUSDT), and beyond it
nothing is known of levels that have not changed since. The price moves there, so each book is fetched again now and
then: one newer than its stream replaces the book without a gap, since the updates after it continue those before it.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from urllib.parse import quote

import aiohttp

from flows.live.budget import Budget
from flows.live.feed import Feed, Snapshots
from flows.live.patience import asked_s, backoff_s
from flows.live.proxy import Proxy
from flows.monitoring import telemetry

TAKEN = telemetry.LIVE_SNAPSHOTS.counter()
LOG = logging.getLogger("alphaplus.live")
BACKOFF_S, BACKOFF_MOST_S = 0.5, 20.0
"""Between two requests that fail: a wait drawn at random up to a bound that doubles."""
REFUSED_S = 300.0
"""After so long a book is asked for again that the venue would not give: a wrong name stays wrong, a ban passes."""
AGAIN_S = 1.0
"""After so long a book is asked for again that came while there was no room, or was older than its stream."""
SHARE = 0.5
"""Of the venue's budget, for books that are only fetched again; the rest is for those that must begin anew."""


class _Later(Exception):
    """The venue cannot answer now."""


class Books:
    """Asks for books one after the other; each instrument waits at most once."""

    def __init__(
        self,
        feed: Feed,
        rest: str,
        session: aiohttp.ClientSession,
        proxy: Proxy,
        books: int,
        every_s: float,
    ) -> None:
        """So many books are fetched again `every_s`, or as often as their share of the budget allows."""
        assert feed.snapshots is not None
        self._venue = feed.venue
        self._wanted: Snapshots = feed.snapshots
        self._rest = rest
        self._session = session
        self._proxy = proxy
        self._budget = Budget(self._wanted.per_minute, 60.0)
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._chance = random.Random()
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._again: dict[str, int] = {}
        """Books that are only fetched again: how often in turn one came that its stream had gone beyond."""
        self.every_s = max(every_s, books * self._wanted.weight * 60.0 / (self._wanted.per_minute * SHARE))

    def ask(self, symbol: str) -> None:
        """This book must begin anew."""
        self._again.pop(symbol, None)
        self._wait_for(symbol)

    async def run(self, hand: Callable[[str, int, bytes], None]) -> None:
        """Fetch what is asked for, for ever; `hand` takes symbol, update id and answer."""
        failures = 0
        while True:
            symbol = await self._queue.get()
            self._waiting.discard(symbol)
            try:
                body = await self._once(symbol)
            except (aiohttp.ClientError, TimeoutError, _Later) as error:
                failures += 1
                TAKEN.labels(self._venue, "failed").inc()
                LOG.warning("%s: no snapshot of %s yet: %s", self._venue, symbol, str(error) or type(error).__name__)
                self.ask(symbol)
                await asyncio.sleep(backoff_s(failures, BACKOFF_S, BACKOFF_MOST_S, self._chance))
                continue
            failures = 0
            if body is None:
                self.ask_after(REFUSED_S, symbol)
                continue
            TAKEN.labels(self._venue, "taken").inc()
            hand(symbol, *body)

    def ask_after(self, wait_s: float, symbol: str) -> None:
        """This book must begin anew, and could not yet."""
        self._set(wait_s, self.ask, symbol)

    def came(self, symbol: str, *, newer: bool) -> None:
        """A book is there that joins its stream: when it is due again. One that replaces another must be newer."""
        wait_s, older = self.every_s, 0
        if symbol in self._again and not newer:
            older = self._again[symbol] + 1
            wait_s = min(wait_s, AGAIN_S * 2 ** min(older, 10))
        self._set(wait_s, self._ask_again, symbol, older)

    def _ask_again(self, symbol: str, older: int) -> None:
        self._again[symbol] = older
        self._wait_for(symbol)

    def _set(self, wait_s: float, then: Callable[..., None], symbol: str, *more: int) -> None:
        if later := self._later.pop(symbol, None):
            later.cancel()
        self._later[symbol] = asyncio.get_running_loop().call_later(wait_s, then, symbol, *more)

    def _wait_for(self, symbol: str) -> None:
        if later := self._later.pop(symbol, None):
            later.cancel()
        if symbol not in self._waiting:
            self._waiting.add(symbol)
            self._queue.put_nowait(symbol)

    async def _once(self, symbol: str) -> tuple[int, bytes] | None:
        await self._budget.take(self._wanted.weight)
        url = self._rest + self._wanted.path.replace("{SYMBOL}", quote(symbol, safe=""))
        proxy, timeout = self._proxy, aiohttp.ClientTimeout(total=20)
        async with self._session.get(url, proxy=proxy.url, proxy_headers=proxy.headers, timeout=timeout) as answer:
            body = await answer.read()
            found = self._wanted.id.match(body) if answer.status == 200 else None
            if found is not None:
                return int(found[1]), body
            said = body[:200].decode(errors="replace")
            if wait_s := asked_s(answer.status, answer.headers.get("Retry-After", ""), said):
                self._budget.close(wait_s)
                raise _Later(f"{answer.status} {said}; it is left alone for {wait_s:.0f} s")
            if answer.status >= 500:
                raise _Later(f"{answer.status} {said}")
            if answer.status != 200:
                TAKEN.labels(self._venue, "refused").inc()
                LOG.error("%s refuses a snapshot of %s: %s %s", self._venue, symbol, answer.status, said)
                return None
            raise _Later(f"the answer is no book: {said}")
