"""Feature rows as the market flow writes them, made up: minutes of some instruments, in the order of their logs."""

import msgspec
import numpy as np

from flows.tables import BY_NAME
from models import model_registry
from models.calibrator import Calibrator
from models.labels import LABEL_VERSION, STEP_NS
from models.training import Cases, Parameters, train
from models.vector_items import FEATURE_VERSION, NAMES
from schemas.frames import Frames, frames

T0 = 1_700_000_040_000 // 60_000 * 60_000
VALUES = {"str": "event", "bool": True, "time": 0, "i8": 1, "f8": 1.0}


def row(table: str, symbol: str, end_ms: int, length_ms: int = 60_000, venue: str = "binance-usdm", **given) -> bytes:
    """One record; what is not given is made of the declared type."""
    start = end_ms - length_ms
    of = {c.name: VALUES[c.dtype] for c in BY_NAME[table].columns}
    of |= {"venue": venue, "symbol": symbol, "window_ms": length_ms, "window_start": start, "stale_ms": 100.0}
    of |= {"inferred": False, "late_rows": 0, **given}
    return msgspec.json.encode({"id": f"{venue}|{symbol}|{length_ms}|{start}", **of})


def logs(minutes: int, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"), seed: int = 0, **given):
    """The logs of book and tape, each (event time in ms, record), a 1 s row after each minute to complete it."""
    rng = np.random.default_rng(seed)
    book, tape = [], []
    for m in range(1, minutes + 1):
        end = T0 + 60_000 * m
        for s in symbols:
            x = rng.random(4).tolist()
            book.append((end, row("features_book", s, end, mid=100 + x[0], spread_bps=x[1], **given)))
            usd = 1e5 * x[2] if x[3] < 0.3 else 0.0
            more = {"realised_variance": 1e-8 * x[1], "volume_usd": 1e6, "buy_volume_usd": 1e6 * x[0]}
            more |= {"long_liquidated_usd": usd, "short_liquidated_usd": 0.0, "mark_age_ms": 50.0}
            tape.append((end, row("features_tape", s, end, **more)))
        for log, table in ((book, "features_book"), (tape, "features_tape")):
            log.append((end + 1_000, row(table, symbols[0], end + 1_000, 1_000)))
    return book, tape


def framed(topic: str, rows: list, first: int = 0) -> Frames:
    """Part of a log as the source hands it over."""
    return frames(topic, 0, [v for _, v in rows], [ms * 1_000_000 for ms, _ in rows], first)


def model(root, seed: int, horizons: tuple[int, ...] = (5, 15), floor_usd: float = 50_000.0) -> str:
    """A small model version in the registry, of no skill at all."""
    rng = np.random.default_rng(seed)
    n = 3_000
    x = rng.normal(size=(n, len(NAMES)))
    y = (rng.random(n) < 1 / (1 + np.exp(2 - x[:, NAMES.index("spread_bps")]))).astype(np.int8)
    at = (28_000_000 + np.arange(n)) * STEP_NS
    cases = Cases(at, at + 5 * STEP_NS, x, y, np.where(y == 1, 3.0, 0.1), rng.random(n))
    trained, _ = train(cases, Parameters(learning_rate=0.3, num_leaves=4, rounds=5, patience=5, seed=seed, threads=1))
    cards = [
        model_registry.Card(side, h, f"{side}{h}.txt", f"{side}{h}.json", trained.rounds, 0.1, 3.0, 0.1, 2.0, {})
        for side in ("long", "short")
        for h in horizons
    ]
    about = model_registry.Metadata(
        FEATURE_VERSION, LABEL_VERSION, list(NAMES), 0, 1, str(seed), {"floor_usd": floor_usd}, cards
    )
    calibrators: dict[tuple[str, int], Calibrator] = {c.key: trained.calibrator for c in cards}
    return model_registry.save(root, about, {c.key: trained.booster for c in cards}, calibrators)
