"""Disturb: what goes wrong between a venue and a log (gaps, repeats, disorder, garbage), with a ledger of all of it."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

from models.simulator.frame import Frame, Kind
from models.simulator.simulation import Settings

What = Literal["gap", "duplicate", "delay", "garbage"]
SNAPSHOT = b'{"lastUpdateId"'
SECOND_NS = 1_000_000_000


class Injected(NamedTuple):
    """One disturbance. `received_ns` is when the frame was or would have been received, `until_ns` when it now is.

    Of a gap: the first dropped depth frame, the snapshot that ends it, and how many frames are missing. `data` is the
    repeated, delayed or made-up frame; a gap has none.
    """

    what: What
    kind: Kind
    symbol: str
    received_ns: int
    until_ns: int
    frames: int
    data: bytes


@dataclass(slots=True)
class Gap:
    """The gap of one symbol: from when depth frames are dropped, and what has been so far."""

    from_ns: int
    first_ns: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Queue:
    """Frames on their way, released in order of receipt; equal times keep the order of arrival."""

    heap: list[tuple[int, int, Frame]] = field(default_factory=list)
    count: int = 0

    def push(self, frame: Frame) -> None:
        self.count += 1
        heapq.heappush(self.heap, (frame.received_ns, self.count, frame))

    def until(self, received_ns: int) -> Iterator[Frame]:
        while self.heap and self.heap[0][0] < received_ns:
            yield heapq.heappop(self.heap)[2]


def disturb(frames: Iterable[Frame], settings: Settings, ledger: list[Injected] | None = None) -> Iterator[Frame]:
    """The frames with `settings.disturbances` injected, in order of receipt; a pure function of both.

    A gap drops depth frames until the next snapshot comes, as after an ingester's reconnect. A delayed frame is
    received up to `delay_max_ms` later, behind frames it preceded; of a symbol's depth this too breaks the chain until
    the next snapshot. Snapshots and accounts are left alone. `ledger` is appended to as the frames are drawn; a gap
    that no snapshot ends is entered at the end of the frames.
    """
    rates = settings.disturbances
    if rates.p_gap and not settings.snapshot_every_s:
        raise ValueError("gaps end with a snapshot: p_gap needs snapshot_every_s")
    chance = Random(f"{settings.seed}:disturb")
    book = [] if ledger is None else ledger
    queue, gaps = _Queue(), dict[str, Gap]()
    late_ns, seen_ns = 1_000_000 * rates.delay_max_ms, 0
    for frame in frames:
        seen_ns = frame.received_ns
        yield from queue.until(seen_ns)
        snapshot = frame.kind == "depth" and frame.data.startswith(SNAPSHOT)
        if snapshot:
            _end(gaps.pop(frame.symbol, None), frame.symbol, seen_ns, book)
            if chance.random() < rates.p_gap:
                length_ns = int(SECOND_NS * rates.gap_max_s * (0.1 + 0.9 * chance.random()))
                gaps[frame.symbol] = Gap(seen_ns + SECOND_NS * settings.snapshot_every_s - length_ns)
        if snapshot or frame.kind == "accounts":
            queue.push(frame)
            continue
        gap = gaps.get(frame.symbol) if frame.kind == "depth" else None
        if gap is not None and seen_ns >= gap.from_ns:
            gap.first_ns = gap.first_ns or seen_ns
            gap.dropped += 1
            continue
        sent = frame
        if chance.random() < (rates.p_delay_depth if frame.kind == "depth" else rates.p_delay):
            sent = frame._replace(received_ns=seen_ns + 1 + int(late_ns * chance.random()))
            book.append(Injected("delay", frame.kind, frame.symbol, seen_ns, sent.received_ns, 1, frame.data))
        queue.push(sent)
        if chance.random() < rates.p_duplicate:
            again = sent._replace(received_ns=sent.received_ns + int(late_ns * chance.random()))
            book.append(Injected("duplicate", frame.kind, frame.symbol, seen_ns, again.received_ns, 1, frame.data))
            queue.push(again)
        if chance.random() < rates.p_garbage:
            made_up = frame._replace(data=_garbage(frame.data, chance))
            book.append(Injected("garbage", frame.kind, frame.symbol, seen_ns, seen_ns, 1, made_up.data))
            queue.push(made_up)
    for symbol, gap in gaps.items():
        _end(gap, symbol, seen_ns, book)
    yield from queue.until(1 << 63)


def _end(gap: Gap | None, symbol: str, until_ns: int, book: list[Injected]) -> None:
    if gap is not None and gap.dropped:
        book.append(Injected("gap", "depth", symbol, gap.first_ns, until_ns, gap.dropped, b""))


def _garbage(data: bytes, chance: Random) -> bytes:
    """Bytes that are no JSON: the frame cut short, with wrong quotes, or noise."""
    form = chance.randrange(3)
    if form == 0:
        return data[: chance.randrange(1, len(data))]
    return data.replace(b'"', b"'") if form == 1 else b"\xff" + chance.randbytes(chance.randrange(1, 40))
