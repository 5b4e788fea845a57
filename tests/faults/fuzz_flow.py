"""Mutated frames through the market flow: `python -m tests.faults.fuzz_flow --seed 1 --frames 100000`.

Frames of every venue and kind, most of them damaged, are published into the raw topics. The flow must never stop, and
every offset must be accounted for: rows, a reject that names it with a reason, or an acknowledgement that means
nothing. What becomes of each frame is worked out a second time, from the log, by the parsers alone.
"""

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from flows.captures.capture import Recorded
from flows.clickhouse.client import connect
from flows.job_graph import raw_topic
from flows.kafka.partitioner import partition_of
from flows.kafka.topic_making import end_offsets
from flows.settings.tree import Settings
from operators.lanes.lane import AHEAD
from schemas.frames import frames
from schemas.instrument import InstrumentTable
from schemas.venue import Venue
from schemas.venues.registry import VENUES
from tests.faults.replaying import Item, Running, Tables, differences, running, services, settings_for, simulated
from tests.venues.fuzz_parsers import mutate
from tests.venues.samples import SAMPLES

START_NS = 1_767_225_600_000_000_000
NAMELESS_SYMBOL = "BTCUSDT"
WORDS = (
    b"NaN",
    b"1e400",
    b"-1e400",
    b"9" * 400,
    b"Infinity",
    b"null",
    b'"x"',
    b"[]",
    b"true",
    b"0.1e-999",
    b"1" * 5_000,
)
Place = tuple[str, int, int]
"""Topic, partition, offset."""


def extreme(frame: bytes, chance: random.Random) -> bytes:
    """Damage that small edits do not make."""
    match chance.randrange(6):
        case 0:
            return frame[: chance.randrange(len(frame))]
        case 1:
            depth = chance.choice((100, 1_000, 100_000))
            return chance.choice(
                (b"[" * depth, b'{"data":' * depth, frame[:-1] + b',"zz":' + b"[" * depth + b"]" * depth + b"}")
            )
        case 2:
            at = chance.randrange(len(frame))
            return frame[:at] + bytes(chance.randrange(128, 256) for _ in range(4)) + frame[at:]
        case 3:
            digits = [i for i, c in enumerate(frame) if 48 <= c < 58]
            at = chance.choice(digits) if digits else 0
            return frame[:at] + chance.choice(WORDS) + frame[at + 1 :]
        case 4:
            value = frame.find(b":", chance.randrange(len(frame))) + 1
            return frame[:value] + chance.choice(WORDS) + b"," + frame[value:]
        case _:
            return chance.randbytes(chance.randrange(0, 200))


def huge(frame: bytes, size: int) -> bytes:
    """The frame with so many bytes of one string in it."""
    return frame[:-1] + b',"zz":"' + b"x" * size + b'"}'


def mutated(seed: int, count: int, huge_frames: int = 3, size: int = 10_000_000) -> Iterator[Item]:
    """`count` frames in order of receipt: a simulated market and samples of every venue, most of them damaged."""
    chance = random.Random(seed)
    items = simulated(seed=4, seconds=max(10, count // 90), intensity=10.0, disturbed=True)
    market = [(venue, recorded) for venue, recorded in items if venue is not None]
    samples = [
        (VENUES[venue], kind, values) for (venue, kind), values in SAMPLES.items() if kind in VENUES[venue].kinds
    ]
    giants = {chance.randrange(count) for _ in range(huge_frames)}
    at, received_ns = 0, START_NS
    for number in range(count):
        venue, recorded = market[min(at, len(market) - 1)]
        if chance.random() < 0.5 and at < len(market):
            at += 1
            received_ns = max(received_ns, recorded.received_ns)
        else:
            venue, kind, values = chance.choice(samples)
            value = chance.choice(values)
            symbol = venue.symbol_of(value) or NAMELESS_SYMBOL
            recorded = Recorded(received_ns, kind, symbol, False, value)
        data = recorded.data
        if number in giants:
            data = huge(data, size)
        elif chance.random() < 0.05:
            data = extreme(data, chance)
        else:
            data = mutate(data, chance)
        yield venue, recorded._replace(received_ns=received_ns, data=data)


def parsed(told: Settings, venue: Venue, kind: str) -> tuple[dict[Place, str], dict[Place, bytes]]:
    """What the parsers make of each frame of a topic (`rows`, `nothing`, or the reason), and the frame."""
    topic = raw_topic(kind, venue.name)
    outcome: dict[Place, str] = {}
    data: dict[Place, bytes] = {}
    for partition, log in enumerate(logs(told.kafka.brokers, told.kafka.prefix + topic)):
        if not log:
            continue
        values = [value for _, value, _, _ in log]
        starts = venue.nameless if kind == "depth" else ()
        symbols = (
            {i: s for i, (_, v, s, _) in enumerate(log) if s is not None and v.startswith(starts)} if starts else {}
        )
        batch = frames(topic, partition, values, [ms * 1_000_000 for _, _, _, ms in log], 0, symbols)
        batch.offsets[:] = [offset for offset, _, _, _ in log]
        here = partial(_placed, partition, told.kafka.partitions)
        *rows, rejects = getattr(venue, kind)(batch, InstrumentTable({}, here=here))
        places = [(topic, partition, int(offset)) for offset in batch.offsets]
        outcome |= dict.fromkeys(places, "nothing")
        for found in rows:
            outcome |= {places[i]: "rows" for i in np.unique(found.frame).tolist()}
        outcome |= {(topic, partition, r.offset): r.reason for r in rejects}
        data |= dict(zip(places, values, strict=True))
    return outcome, data


def _placed(partition: int, partitions: int, base: str) -> bool:
    return partition_of(base.encode(), partitions) == partition


def logs(brokers: str, topic: str) -> list[list[tuple[int, bytes, str | None, int]]]:
    """Offset, value, header `symbol` and timestamp of every record, a list a partition."""
    ends = end_offsets(brokers, topic)
    out: list[list[tuple[int, bytes, str | None, int]]] = [[] for _ in ends]
    reader = Consumer(
        {"bootstrap.servers": brokers, "group.id": "fuzz", "enable.auto.commit": False, "auto.offset.reset": "error"}
    )
    reader.assign([TopicPartition(topic, p, 0) for p, end in enumerate(ends) if end])
    try:
        while any((log[-1][0] + 1 if log else 0) < end for log, end in zip(out, ends, strict=True)):
            for message in reader.consume(1_000, 1.0):
                if message.error() is not None:
                    raise RuntimeError(f"{topic}: {message.error()}")
                symbol = dict(message.headers() or ()).get("symbol")
                named = symbol.decode() if isinstance(symbol, bytes) else None
                out[message.partition() or 0].append(
                    (message.offset() or 0, message.value() or b"", named, message.timestamp()[1])
                )
    finally:
        reader.close()
    return out


def account(under_way: Running) -> Counter[str]:
    """What became of the frames, by outcome; AssertionError names the first offset that is unaccounted for."""
    told = under_way.session.settings
    outcome: dict[Place, str] = {}
    data: dict[Place, bytes] = {}
    for venue in (VENUES[name] for name in told.market.venues):
        for kind in venue.kinds:
            more, bytes_of = parsed(told, venue, kind)
            outcome |= more
            data |= bytes_of
    sql = "SELECT topic, partition, offset, reason, size, bytes FROM rejects FINAL WHERE reader = 'market'"
    stored: dict[Place, str] = {}
    for topic, partition, offset, reason, size, kept in connect(told.clickhouse).rows(sql):
        place = (str(topic), int(str(partition)), int(str(offset)))
        assert place in outcome, f"{place}: rejected, but there is no such frame"
        assert reason, f"{place}: rejected without a reason"
        assert int(str(size)) == len(data[place]), f"{place}: of {size} bytes, not {len(data[place])}"
        assert msgspec.convert(kept, bytes, strict=False) == data[place][:65_536], f"{place}: other bytes"
        stored[place] = str(reason)
    for place, what in outcome.items():
        said = stored.get(place)
        if what in ("rows", "nothing"):
            assert said is None or (what == "rows" and said in ("late", AHEAD)), f"{place}: {what}, but {said}"
        else:
            assert said is not None, f"{place}: {what}, but there is no reject: {data[place][:200]!r}"
    for child in under_way.session.supervisor.children.values():
        assert child.restarts == 0, f"{child.name} was started {child.restarts} times again: {child.last_line()}"
    return Counter(stored.get(place, what).split(" ")[0] for place, what in outcome.items())


def check(
    base: Settings, seed: int, count: int, sets: list[str], size: int = 10_000_000
) -> tuple[Counter[str], Tables]:
    """Publish, run to the end, account for every frame; what became of them, and the tables."""
    told = settings_for(base, [f"market.venues={json.dumps(list(VENUES))}", *sets])
    with running(told, flows=("market", "archive")) as under_way:
        under_way.publish(mutated(seed, count, size=size))
        under_way.settle()
        return account(under_way), under_way.stored()


def main() -> int:
    """The command: accounted for with large batches, and the same rows with small ones."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz_flow", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alphaplus-fuzz-") as folder, services(Path(folder)) as session:
        outcome, expected = check(session.settings, given.seed, given.frames, [])
        for what, n in outcome.most_common():
            print(f"{n:9,d} {what}")
        _, found = check(session.settings, given.seed, given.frames, ["source.batch_frames=37"])
        wrong = differences(expected, found)
    print(
        "\n".join(wrong)
        if wrong
        else f"{sum(outcome.values()):,} frames accounted for, no flow stopped, the same rows with batches of 37"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
