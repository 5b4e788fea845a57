"""Laws of the forecast flow's shard: the logs decide, not their cuts, their interleaving, a restart, or the future."""

import base64
import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from flows.forecast import ForecastShard, loader
from flows.learning.rehearsal import Stage
from flows.settings.tree import Forecast, Settings
from models.bursts import How
from models.minutes import Minutes
from models.simulator import Disturbances, coarse, disturb, market
from models.simulator import Settings as Simulated
from models.vector_items import NAMES
from operators.progress import AHEAD
from schemas.frames import Frames, marks
from schemas.shard import Batch
from tests.laws.feature_rows import T0, framed, logs, model, row

TOPICS = {"book": "features.book", "tape": "features.tape", "models": "model.versions"}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    root = tmp_path_factory.mktemp("registry")
    return Settings(forecast=Forecast(models=str(root), horizons_min=(5, 15))), model(root, 1), model(root, 2)


def told_to_the_end(log: Frames) -> Frames:
    """With a mark behind it: no promotion will come for any minute here."""
    return replace(log, marks=marks([(len(log), (T0 + 10**9) * 1_000_000, False)]))


def promotion(order: int, version: str, from_ms: int) -> tuple[int, bytes]:
    return from_ms, b'{"id":"registry|%d","version":"%s","in_force_from":%d}' % (order, version.encode(), from_ms)


def pieces(log: dict, rng) -> list[tuple[str, int, int]]:
    """Cuts of the logs, each in order, interleaved at random; promotions come first."""
    out = [("models", 0, len(log["models"]))]
    at = {"book": 0, "tape": 0}
    while left := [k for k in at if at[k] < len(log[k])]:
        kind = left[rng.integers(len(left))]
        n = int(rng.integers(1, 60))
        out.append((kind, at[kind], min(at[kind] + n, len(log[kind]))))
        at[kind] += n
    return out


def run(settings, log, cuts, restart=lambda i: False):
    """Every record by topic, as a shard writes them over these cuts."""
    load, out = loader(settings), {}
    shard = ForecastShard(settings, load, False, 0, None)
    if all(kind != "models" for kind, _, _ in cuts):
        shard.on_batch(Batch((told_to_the_end(framed("model.versions", [])),)))
    for i, (kind, first, last) in enumerate(cuts):
        if restart(i):
            frozen = shard.freeze()
            shard = ForecastShard(settings, loader(settings), False, 0, frozen)
            assert shard.freeze() == frozen
        piece = framed(TOPICS[kind], log[kind][first:last], first)
        for rows in shard.on_batch(Batch((told_to_the_end(piece) if kind == "models" else piece,))):
            out.setdefault(rows.topic, []).extend(v for _, v in rows.records if v is not None)
    return out


def in_one_piece(book, tape) -> list[tuple[str, int, int]]:
    """Both logs in one piece each, behind the promotions."""
    return [("models", 0, 1), ("book", 0, len(book)), ("tape", 0, len(tape))]


def ids(records):
    return [json.loads(v)["id"] for v in records]


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_equal_however_the_logs_are_cut_and_interleaved_and_wherever_it_is_restarted(told, seed):
    settings, one, two = told
    book, tape = logs(90, seed=seed)
    swaps = [promotion(1, one, T0 + 3_600_000), promotion(2, two, T0 + 80 * 60_000)]
    log = {"book": book, "tape": tape, "models": swaps}
    whole = [("models", 0, 2), ("book", 0, len(book)), ("tape", 0, len(tape))]
    expected = run(settings, log, whole)
    assert set(expected) == {"forecast.vectors", "forecasts.liquidation"}
    assert len(expected["forecast.vectors"]) == 2 * 90
    assert len(expected["forecasts.liquidation"]) == 2 * 90 * 4
    rng = np.random.default_rng(seed)
    cuts = pieces(log, rng)
    again = run(settings, log, cuts, lambda i: rng.random() < 0.2)
    assert again == expected


def test_a_swap_changes_the_version_once_at_its_minute_and_loses_no_row(told):
    settings, one, two = told
    book, tape = logs(90)
    swaps = [promotion(1, one, T0 + 10 * 60_000), promotion(2, two, T0 + 80 * 60_000)]
    log = {"book": book, "tape": tape, "models": swaps}
    out = run(settings, log, pieces(log, np.random.default_rng(0)))["forecasts.liquidation"]
    rows = [json.loads(v) for v in out]
    assert len(set(ids(out))) == len(rows) == 90 * 2 * 4
    for one_row in rows:
        minute = (one_row["as_of"] - T0) // 60_000
        assert one_row["model_version"] == ("" if minute < 10 else one if minute < 80 else two)
        assert (one_row["p_burst"] is None) == bool(one_row["abstain_reason"])
        assert (one_row["base_rate"] is None) == (minute < 10)
    reasons = {m: {r["abstain_reason"] for r in rows if r["as_of"] == T0 + m * 60_000} for m in (1, 20, 70, 90)}
    assert reasons[1] == {"there is no model"}
    assert reasons[20] == {"too little history: the threshold of a burst is not known yet"}
    assert reasons[70] == {"", "too little history: the threshold of a burst is not known yet"}, "5 min, not 15 min yet"
    assert reasons[90] == {""}


def test_who_catches_up_on_many_promotions_forecasts_each_minute_with_the_version_of_then(told):
    """All promotions are read before the minutes of a backlog: of thirty the first twenty-two had been forgotten."""
    settings, one, two = told
    book, tape = logs(90, symbols=("BTCUSDT",))
    swaps = [promotion(k, (one, two)[k % 2], T0 + (3 * k + 1) * 60_000) for k in range(30)]
    whole = [("models", 0, 30), ("book", 0, len(book)), ("tape", 0, len(tape))]
    out = run(settings, {"book": book, "tape": tape, "models": swaps}, whole, lambda i: i == 2)
    for r in map(json.loads, out["forecasts.liquidation"]):
        minute = (r["as_of"] - T0) // 60_000
        assert r["model_version"] == (one, two)[(minute - 1) // 3 % 2], minute


def test_a_corrupt_version_and_one_of_another_floor_are_refused_with_one_line_and_the_champion_goes_on(tmp_path, capfd):
    settings = Settings(forecast=Forecast(models=str(tmp_path), horizons_min=(5,)))
    good, bad, other = model(tmp_path, 1), model(tmp_path, 2), model(tmp_path, 3, floor_usd=1.0)
    file = tmp_path / "versions" / bad / "long5.txt"
    file.write_bytes(file.read_bytes().replace(b"1", b"2", 1))
    book, tape = logs(70)
    swaps = [promotion(i, v, T0 + i * 60_000) for i, v in enumerate((good, bad, other, "v-gone"))]
    log = {"book": book, "tape": tape, "models": swaps}
    out = run(settings, log, [("models", 0, 4), ("book", 0, len(book)), ("tape", 0, len(tape))])
    assert {json.loads(v)["model_version"] for v in out["forecasts.liquidation"]} == {good}
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        f"forecast: shard 0: refused: model {bad} is corrupt: long5.txt does not have the hash that its metadata tells",
        f"forecast: shard 0: refused: model {other} calls more than 1.0 USD a burst, forecast.floor_usd is 50000.0",
        f"forecast: shard 0: refused: no model version 'v-gone' in {tmp_path}",
    ]


def test_a_version_that_is_gone_after_a_restart_gives_way_to_the_one_before(tmp_path, capfd):
    settings = Settings(forecast=Forecast(models=str(tmp_path), horizons_min=(5,)))
    one, two = model(tmp_path, 1), model(tmp_path, 2)
    book, tape = logs(6)
    shard = ForecastShard(settings, loader(settings), False, 0, None)
    swaps = [promotion(1, one, T0), promotion(2, two, T0)]
    shard.on_batch(Batch((told_to_the_end(framed("model.versions", swaps)),)))
    (tmp_path / "versions" / two / "metadata.json").unlink()
    again = ForecastShard(settings, loader(settings), False, 0, shard.freeze())
    out = again.on_batch(Batch((framed("features.book", book), framed("features.tape", tape))))
    assert {
        json.loads(v)["model_version"]
        for r in out
        for _, v in r.records
        if v is not None and r.topic == "forecasts.liquidation"
    } == {one}
    assert f"refused: model {two} is corrupt" in capfd.readouterr().err


def test_a_minute_waits_until_no_promotion_can_come_for_it_and_one_that_comes_later_holds_from_the_next(told):
    settings, one, two = told
    book, tape = logs(6)
    shard = ForecastShard(settings, loader(settings), False, 0, None)
    log = framed("model.versions", [promotion(1, one, 0)])
    minute = T0 + 3 * 60_000
    shard.on_batch(Batch((replace(log, marks=marks([(1, minute * 1_000_000, True)])),)))
    out = shard.on_batch(Batch((framed("features.book", book), framed("features.tape", tape))))
    late = framed("model.versions", [promotion(2, two, T0 + 60_000)], 1)
    out += shard.on_batch(Batch((replace(late, marks=marks([(1, (T0 + 10**6) * 1_000_000, True)])),)))
    rows = [json.loads(v) for r in out for _, v in r.records if v is not None and r.topic == "forecasts.liquidation"]
    versions = {(row["as_of"] - T0) // 60_000: row["model_version"] for row in rows}
    assert versions == {n: one if n <= 3 else two for n in range(1, 7)}


def test_a_book_that_is_not_trusted_makes_it_abstain_and_say_so(told):
    settings, one, _ = told
    book, tape = logs(66, book_ok=False)
    log = {"book": book, "tape": tape, "models": [promotion(1, one, T0)]}
    out = run(settings, log, [("models", 0, 1), ("book", 0, len(book)), ("tape", 0, len(tape))])
    rows = [json.loads(v) for v in out["forecasts.liquidation"]]
    assert {(r["abstain_reason"], r["p_burst"], r["book_ok"]) for r in rows} == {
        ("the book is not to be trusted", None, False)
    }


def test_a_spot_market_has_nothing_to_forecast_and_tells_a_training_no_calm(told):
    settings, one, _ = told
    book, tape = logs(90, symbols=("BTCUSDT",))
    tape = [(ms, v.replace(b"binance-usdm", b"binance-spot")) for ms, v in tape]
    book = [(ms, v.replace(b"binance-usdm", b"binance-spot")) for ms, v in book]
    out = run(settings, {"book": book, "tape": tape, "models": [promotion(1, one, T0)]}, in_one_piece(book, tape))
    vectors = [json.loads(v) for v in out["forecast.vectors"]]
    rows = [json.loads(v) for v in out["forecasts.liquidation"]]
    assert {(v["long_liquidated_usd"], v["short_liquidations_1m"]) for v in vectors} == {(None, None)}
    assert {r["abstain_reason"] for r in rows} == {"nothing is liquidated on a spot market"}
    assert {(r["threshold_usd"], r["p_burst"], r["base_rate"]) for r in rows} == {(None, None, None)}


@pytest.mark.parametrize(
    ("venue", "spot", "perpetual"),
    [(b"okx-swap", b"BTC-USDT", b"BTC-USDT-SWAP"), (b"deribit", b"BTC_USDC", b"BTC_USDC-PERPETUAL")],
)
def test_a_spot_market_beside_contracts_of_its_venue_has_nothing_to_forecast_either(told, venue, spot, perpetual):
    settings, one, _ = told

    def of(log: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        names = ((b"binance-usdm", venue), (b"BTCUSDT", spot), (b"ETHUSDT", perpetual))
        for before, after in names:
            log = [(ms, v.replace(before, after)) for ms, v in log]
        return log

    book, tape = map(of, logs(66))
    out = run(settings, {"book": book, "tape": tape, "models": [promotion(1, one, T0)]}, in_one_piece(book, tape))
    vectors = [json.loads(v) for v in out["forecast.vectors"]]
    rows = [json.loads(v) for v in out["forecasts.liquidation"]]
    calm = {(v["symbol"], v["long_liquidated_usd"] is None, v["long_liquidations_1m"] is None) for v in vectors}
    assert calm == {(spot.decode(), True, True), (perpetual.decode(), False, False)}
    told_of = {(r["abstain_reason"], r["model_version"], r["base_rate"]) for r in rows if r["symbol"] == spot.decode()}
    assert told_of == {("nothing is liquidated on a spot market", "", None)}
    assert {r["model_version"] for r in rows if r["symbol"] == perpetual.decode()} == {one}
    assert {r["threshold_usd"] for r in rows if r["symbol"] == spot.decode()} == {None}


def test_a_minute_in_which_nothing_was_heard_is_down_and_not_calm(told):
    """A feed that is silent for an hour still has a row each minute, of ages that grow: it had taught that all was calm."""
    settings, _, _ = told
    book, tape = logs(70, symbols=("BTCUSDT",))
    silent = range(30, 41)

    def aged(log: list[tuple[int, bytes]], **ages: float) -> list[tuple[int, bytes]]:
        """The log, of ages such as a silent feed's rows tell in these minutes."""
        of = [(ms, json.loads(v)) for ms, v in log]
        return [
            (ms, msgspec.json.encode(v | ages if (ms - T0) // 60_000 in silent and v["window_ms"] == 60_000 else v))
            for ms, v in of
        ]

    book, tape = (
        aged(book, stale_ms=60_000.0),
        aged(
            tape,
            stale_ms=60_500.0,
            mark_age_ms=61_000.0,
            long_liquidations=0,
            short_liquidations=0,
            long_liquidated_usd=0.0,
        ),
    )
    out = run(settings, {"book": book, "tape": tape, "models": []}, in_one_piece(book, tape)[1:])
    vectors = {(v["as_of"] - T0) // 60_000: v for v in map(json.loads, out["forecast.vectors"])}
    unknown = [m for m, v in vectors.items() if v["long_liquidated_usd"] is None]
    assert unknown == list(silent)
    assert [m for m, v in vectors.items() if v["long_liquidations_5m"] is None] == [1, 2, 3, 4, *range(30, 45)]
    rows = [r for r in map(json.loads, out["forecasts.liquidation"]) if r["horizon_min"] == 5]
    assert {r["threshold_usd"] for r in rows} == {None}, "51 windows of 5 minutes were heard whole, it takes 60"


def test_a_bounded_shard_waits_until_the_promotions_are_read(told):
    settings, one, _ = told
    book, tape = logs(3)
    shard = ForecastShard(settings, loader(settings), True, 0, None)
    assert shard.on_batch(Batch((framed("features.book", book), framed("features.tape", tape)))) == []
    ended = tuple(TOPICS.values())
    out = shard.on_batch(Batch((framed("model.versions", [promotion(1, one, 0)]),), ended))
    versions = [
        json.loads(v)["model_version"]
        for r in out
        for _, v in r.records
        if v is not None and r.topic == "forecasts.liquidation"
    ]
    assert versions == [one] * 3 * 2 * 4


def test_rows_that_cannot_be_used_are_rejected_with_their_place(told):
    settings, _, _ = told
    book, _ = logs(2)
    bad = [
        (T0, b'{"id":"nowhere|BTCUSDT|60000|0"}'),
        (T0 + 60_000, b'{"id":"binance-usdm|XRPUSDT|60000|%d","venue":1}' % T0),
        (T0, b"{}"),
    ]
    shard = ForecastShard(settings, loader(settings), False, 0, None)
    (rows,) = shard.on_batch(Batch((framed("features.book", [book[0], *bad]),)))
    assert rows.topic == "rejects"
    reasons = [json.loads(v)["reason"] for _, v in rows.records]
    assert [r.split(":")[0] for r in reasons] == [
        "the id does not tell a known venue, symbol, window length and start",
        "not a book row",
        'does not begin with {"id"',
    ]


def test_a_symbol_with_a_quotation_mark_a_backslash_or_a_bar_is_read_like_any_other():
    for symbol in ('A"BUSDT', "A\\BUSDT", "A|BUSDT", "币安人生USDT", "A\tBUSDT"):
        minutes = Minutes()
        book, tape = logs(2, (symbol,))
        assert minutes.read("book", framed("features.book", book)) == []
        assert minutes.read("tape", framed("features.tape", tape)) == []
        assert {row.symbol for _, row in minutes.waiting["binance-usdm"]} == {symbol}


def test_a_record_that_is_no_promotion_is_rejected_with_its_bytes(told):
    settings, _, _ = told
    bad = b'{"id":"model|1","version":7}'
    (rows,) = ForecastShard(settings, loader(settings), False, 0, None).on_batch(
        Batch((framed("model.versions", [(T0, bad)]),))
    )
    rejected = json.loads(rows.records[0][1])
    assert rejected["reason"].startswith("not a promotion: ")
    assert base64.b64decode(rejected["bytes"]) == bad


def vectors_of(frames, ended: bool) -> list[bytes]:
    """Every vector that the chain of the flows makes of frames, as bytes, in order of minutes."""
    stage, out = Stage(SIMULATED, How((5,), 50_000.0)), []
    for first in range(0, len(frames), 500):
        part = frames[first : first + 500]
        for p in stage.feed(part, ended and first + 500 >= len(frames)):
            if p.table == "forecast_vectors":
                out += [np.array([p.columns[n] for n in ("as_of", *NAMES)]).astype(np.float64).tobytes()]
    return out


SIMULATED = coarse(
    Simulated(
        seed=5,
        symbols=("BTCUSDT",),
        seconds=1_500,
        traders=100,
        warm_up_s=60,
        accounts=0,
        disturbances=Disturbances(p_delay=0.05, delay_max_ms=3_000),
    )
)


def future_decides(whole: list[bytes], parts: list[list[bytes]]) -> bool:
    """Whether what is made of the beginning of a log is no beginning of what is made of all of it."""
    return any(whole[: len(part)] != part for part in parts)


def test_features_of_frames_in_order_of_receipt_do_not_change_with_what_is_received_later_and_a_planted_leak_does():
    frames = list(disturb(market(SIMULATED), SIMULATED))
    whole = vectors_of(frames, True)
    assert len(whole) >= 24
    parts = [vectors_of(frames[: len(frames) * k // 7], False) for k in (3, 5, 6)]
    assert [len(p) > 5 for p in parts] == [True] * 3
    assert not future_decides(whole, parts)

    def leaky(vectors: list[bytes]) -> list[bytes]:
        """Each row also tells the next one: features that look a minute ahead, where there is one."""
        return [a + b for a, b in zip(vectors, [*vectors[1:], vectors[-1]], strict=True)]

    assert future_decides(leaky(whole), [leaky(p) for p in parts])


def test_minutes_wait_for_the_slower_log_of_their_venue_only():
    minutes = Minutes()
    book, tape = logs(2, symbols=("BTCUSDT",))
    other, _ = logs(1, symbols=("BTC-PERPETUAL",))
    deribit = [(ms, v.replace(b"binance-usdm", b"deribit")) for ms, v in other]
    minutes.read("book", framed("features.book", [*book, *deribit]))
    assert list(minutes.ready()) == []
    minutes.read("tape", framed("features.tape", tape[:2]))
    assert [(m.venue, m.end_ms - T0) for m in minutes.ready()] == [("binance-usdm", 60_000)]
    assert Minutes.thaw(minutes.freeze()).freeze() == minutes.freeze()
    minutes.mark({"book", "tape"})
    left = [(m.venue, m.end_ms - T0, np.isnan(m.columns["volume_usd"]).tolist()) for m in minutes.ready()]
    assert left == [("binance-usdm", 120_000, [True]), ("deribit", 60_000, [True])]
    came = framed("features.book", [(T0 + 60_000, row("features_book", "NEWUSDT", T0 + 60_000))])
    (late,) = minutes.read("book", came)
    assert late.reason == "its minute was complete before it came"


@pytest.mark.parametrize("length_ms", [60_000, 1_000])
def test_a_row_that_somebody_wrote_years_ahead_completes_no_minute(length_ms):
    """All minutes to come were complete before they came, of that venue, for good."""
    minutes = Minutes()
    book, tape = logs(2, symbols=("BTCUSDT",))
    foreign = T0 + 600_000, row("features_book", "BTCUSDT", T0 + 10**12, length_ms)
    (reject,) = minutes.read("book", framed("features.book", [book[0], foreign, *book[1:]]))
    assert reject.reason == AHEAD
    assert minutes.read("tape", framed("features.tape", tape)) == []
    assert [(m.venue, m.end_ms - T0) for m in minutes.ready()] == [("binance-usdm", 60_000), ("binance-usdm", 120_000)]


def test_an_id_begins_every_record_and_grows(told):
    settings, _, _ = told
    book, tape = logs(5)
    log = {"book": book, "tape": tape, "models": []}
    out = run(settings, log, [("book", 0, len(book)), ("tape", 0, len(tape))])
    for topic, records in out.items():
        last: dict[str, int] = {}
        for record in records:
            key, _, order = msgspec.json.decode(record)["id"].rpartition("|")
            assert int(order) > last.get(key, -1), topic
            last[key] = int(order)
