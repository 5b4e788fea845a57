"""Running receivers: several venues on one event loop, until told to stop, for a time, or until one fails."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import NoReturn

from flows.live.feeds_by_venue import FEEDS
from flows.live.receiver import Receiver
from flows.monitoring.log_lines import LOG, fail
from flows.monitoring.wall_clock import LOOK_S, WallClock
from flows.refusal import Unreachable
from flows.settings.tree import Live, SettingsError
from flows.stops import stops

AGAIN = "starting again, and asking for whole books"


def wanted(pairs: Sequence[str]) -> dict[str, list[str]]:
    """The arguments `VENUE:SYMBOL[,SYMBOL...]` as symbols by venue.

    >>> wanted(["deribit:BTC-PERPETUAL,ETH-PERPETUAL", "deribit:BTC-PERPETUAL"])
    {'deribit': ['BTC-PERPETUAL', 'ETH-PERPETUAL']}
    """
    found: dict[str, list[str]] = {}
    for pair in pairs:
        venue, _, symbols = pair.partition(":")
        names = [s.strip() for s in symbols.split(",") if s.strip()]
        if venue not in FEEDS or not names:
            raise SettingsError(f"{pair!r}: write VENUE:SYMBOL, with VENUE one of {', '.join(FEEDS)}")
        if any("{symbol}" in channel.stream for channel in FEEDS[venue].channels):
            for name in names:
                if name != name.upper():
                    raise SettingsError(f"{pair!r}: write symbols as the venue does, {name.upper()}")
        of = found.setdefault(venue, [])
        of += [n for n in dict.fromkeys(names) if n not in of]
    if not found:
        raise SettingsError("what is to be received? write VENUE:SYMBOL, e.g. binance-usdm:BTCUSDT")
    return found


def refuse_unknown(told: Live) -> None:
    """SettingsError for an address that stands in for none: the venue's own would be asked in its place."""
    sockets = {f"{venue}/{name}" if name else venue for venue, feed in FEEDS.items() for name in feed.sockets}
    for setting, given, known in (("sockets", told.sockets, sockets), ("rest", told.rest, {*FEEDS})):
        for name in given:
            if name not in known:
                raise SettingsError(f"live.{setting}: there is no {name!r}; there are: {', '.join(sorted(known))}")


def run(
    receivers: Sequence[Receiver], seconds: float | None, clock: WallClock | None = None, *, goes_on: bool = False
) -> None:
    """Receive; what came is handed over before this returns. Raises what stopped a receiver.

    Unreachable when `clock` was set back: whoever takes the frames may wait by it for as long. Where nobody does it
    `goes_on`, and says so.
    """
    try:
        asyncio.run(_run(receivers, seconds, clock, goes_on))
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def _run(receivers: Sequence[Receiver], seconds: float | None, clock: WallClock | None, goes_on: bool) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in stops():
        loop.add_signal_handler(number, _stop, number, over)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(receiver.run()) for receiver in receivers]
        if clock is not None:
            running.append(tasks.create_task(_until_set_back(clock, goes_on)))
        stopping = tasks.create_task(over.wait())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*running, stopping):
            task.cancel()


async def _until_set_back(clock: WallClock, goes_on: bool) -> NoReturn:
    while not (back_s := clock.set_back_s()):
        await asyncio.sleep(LOOK_S)
    if goes_on:
        LOG.warning("the wall clock was set back by %.1f s: times of receipt go on by the steady clock", back_s)
        await asyncio.Event().wait()
    raise Unreachable(
        f"the wall clock was set back by {back_s:.1f} s, and what waits for Kafka is timed by it: {AGAIN}"
    )


def _stop(number: int, over: asyncio.Event) -> None:
    """Asked once, what was received is handed over first, however long nobody takes it; Ctrl-C again does not wait."""
    if number == signal.SIGINT and over.is_set():
        fail("interrupted twice: what was received and not yet taken is lost")
        os._exit(130)
    over.set()


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
