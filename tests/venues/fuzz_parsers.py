"""Mutated frames through every parser: `python -m tests.venues.fuzz_parsers --seed 1 --frames 100000`.

Each frame becomes rows, nothing or a reject; never an exception. Binance's scan and the general path agree.
"""

import argparse
import random
import re
from collections import Counter
from dataclasses import fields

import numpy as np

from schemas.batches import REFUSED
from schemas.frames import Frames, Reject, frames
from schemas.instrument import Instrument, InstrumentTable
from schemas.levels import LIMIT
from schemas.venues import binance_coinm, binance_spot, binance_usdm
from schemas.venues.assembly import general_depth, general_trades
from schemas.venues.registry import VENUES
from tests.venues.samples import SAMPLES

GENERAL = {
    (module.NAME, kind): general(module.READERS)
    for module in (binance_usdm, binance_coinm, binance_spot)
    for kind, general in (("depth", general_depth), ("trades", general_trades))
}
KNOWN = {"ETHUSDT": Instrument("binance-usdm", "ETHUSDT", "ETH", "USDT", "linear", "0.05", "0.5")}
TOKENS = [
    *(bytes([c]) for c in b'09"[]{},:.-e\\ \n\t\x00\xff'),
    *(
        b"E5",
        b"\\u0031",
        b"\xc3\xa9",
        b"null",
        b"true",
        b"false",
        b"NaN",
        b"Infinity",
        b"1e400",
        b"1e-9",
        b"-1",
        b"0.0",
    ),
    *(b"0.0", b"00", b"1" * 25, b"9223372036854775808", b"1125899906842624", b"0.1234567890123456789", b"61800.301"),
    *(b"61800.3000", b"0.0001", b'""', b"[[]]", b"[" * 3000, b"[" * 62, b'{"data":' * 2000, b'["1","1"],', b'"T":1,'),
    *(b'"s":"BTCUSDT",', b'"s":"NEWUSDT",', b'"X":"ADL",', b'"e":"trade",', b'"id":[],', b'"zz":"q",'),
    *(b'"lastUpdateId":7,', b'"error":{},', b'"data":{},'),
]
_NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?")


def mutate(frame: bytes, rng: random.Random) -> bytes:
    """A frame with up to three changes, often none."""
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
        a = rng.randrange(len(frame) + 1)
        b = min(len(frame), a + rng.choice((1, 1, 2, 5, 20)))
        token = rng.choice(TOKENS)
        match rng.randrange(7):
            case 0:
                frame = frame[:a] + token + frame[a:]
            case 1:
                frame = frame[:a] + frame[b:]
            case 2:
                frame = frame[:a] + token + frame[b:]
            case 3:
                frame = frame[:b] + frame[a:]
            case 4:
                frame = frame[:a]
            case 5 if a < len(frame):
                frame = frame[:a] + bytes([frame[a] ^ (1 << rng.randrange(8))]) + frame[a + 1 :]
            case _:
                numbers = list(_NUMBER.finditer(frame))
                if numbers:
                    of = rng.choice(numbers)
                    frame = frame[: of.start()] + token + frame[of.end() :]
    return frame


def same(a: object, b: object) -> bool:
    """Whether two batches, or two lists of rejects, are equal in every column and dtype."""
    if isinstance(a, list):
        return a == b
    columns = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)]  # type: ignore[arg-type]
    return all(x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in columns)


def check(venue: str, kind: str, batch: Frames, table: InstrumentTable) -> Counter[str]:
    """Parse one batch and check what must hold; what became of the frames."""
    twin = InstrumentTable.thaw(table.known, table.freeze())
    twin.refined = list(table.refined)
    *rows, rejects = getattr(VENUES[venue], kind)(batch, table)
    whole = [r.offset for r in rejects if " in element " not in r.reason]
    rejected = set(whole)
    assert len(rejected) == len(whole) and len({(r.offset, r.reason) for r in rejects}) == len(rejects)
    assert rejected.isdisjoint(r.offset for r in rejects if " in element " in r.reason)
    assert all(isinstance(r, Reject) and r.reason and r.reason.isprintable() for r in rejects)
    for found in rows:
        used = batch.offsets[found.frame[getattr(found, "last_id", found.frame) != REFUSED]]
        assert not rejected & set(used.tolist())
        assert (np.diff(found.frame) >= 0).all()
        assert len(found) == 0 or (found.instrument.min() >= 0 and found.instrument.max() < len(table.rows))
        for column, least in (("ticks", 1), ("lots", 0 if kind == "depth" else 1)):
            values = getattr(found, column, np.empty(0, np.int64))
            assert ((values >= least) & (values < LIMIT)).all()
    if kind == "depth":
        (depth,) = rows
        assert depth.starts[0] == 0 and depth.starts[-1] == len(depth.ticks) == len(depth.lots)
        assert (depth.bids <= np.diff(depth.starts)).all()
    if general := GENERAL.get((venue, kind)):
        *twins, others = general(batch, twin)
        assert all(same(a, b) for a, b in zip(rows, twins, strict=True)) and rejects == others
        assert table.rows == twin.rows and table.refined == twin.refined
    outcome = Counter(r.reason.split()[0] for r in rejects)
    used_rows = [r.frame[r.last_id != REFUSED] if kind == "depth" else r.frame for r in rows]
    outcome["rows"] = len(np.unique(np.concatenate(used_rows)))
    some = np.concatenate([batch.offsets[np.concatenate(used_rows)], np.array([r.offset for r in rejects], np.int64)])
    outcome["nothing"] = len(batch) - len(np.unique(some))
    return outcome


def run(seed: int, count: int, size: int = 50) -> Counter[str]:
    """Check at least `count` mutated frames, in batches of `size`; a table lives for four batches."""
    rng = random.Random(seed)
    outcome: Counter[str] = Counter()
    done = 0
    while done < count:
        for (venue, kind), samples in SAMPLES.items():
            weight = 4 if (venue, kind) in GENERAL else 1
            table = InstrumentTable(dict(KNOWN))
            for batch in range(weight):
                values = [mutate(rng.choice(samples), rng) for _ in range(size)]
                names = {i: "BTCUSDT" for i in range(0, size, 2)}
                made = frames(f"raw.{kind}.{venue}", 0, values, [0] * size, batch * size, names)
                outcome += check(venue, kind, made, table)
                done += size
    return outcome


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--frames", type=int, default=100_000)
    options = parser.parse_args()
    for reason, frequency in run(options.seed, options.frames).most_common():
        print(f"{frequency:8d} {reason}")
