"""The life of a model on a small learnable world: trained, scored, saved, refused when corrupt, promoted, used."""

import hashlib
import json
import pickle
from dataclasses import replace
from functools import partial
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from flows.clickhouse.errors import StoreError
from flows.commands import models as commands
from flows.commands.evaluate import evaluate
from flows.learning import vectors
from flows.refusal import Refused, Unreachable
from models import baselines, calibration, evaluation, model_registry, risk_levels, trees
from models.calibrator import Calibrator, interval, probability
from models.forecaster import WRITES, build, confidence, forecast, freshness
from models.labels import LABEL_VERSION, STEP_NS, Labels
from models.training import Cases, Parameters, blocks, edges, join, joined, train, train_together
from models.vector_items import FEATURE_VERSION, NAMES

FAST = Parameters(learning_rate=0.2, num_leaves=7, min_data_in_leaf=50, rounds=40, patience=5, threads=1)
DAY = 1440 * STEP_NS


def world(seed: int = 0, n: int = 8000, *, shuffled: bool = False) -> Cases:
    """Ten-minute steps over 55 days; bursts follow imbalance and long liquidations, not volatility alone."""
    rng = np.random.default_rng(seed)
    at = (28_000_000 + 10 * np.arange(n)) * STEP_NS
    x = rng.normal(size=(n, len(NAMES)))
    x[rng.random(x.shape) < 0.02] = np.nan
    for name in ("book_age_s", "tape_age_s", "derivatives_age_s"):
        x[:, NAMES.index(name)] = 0.1
    drive = x[:, NAMES.index("imbalance_5")] * 1.5 + x[:, NAMES.index("long_liquidations_5m")] * 1.5
    y = (rng.random(n) < 1 / (1 + np.exp(3.0 - np.nan_to_num(drive)))).astype(np.int8)
    if shuffled:
        y = rng.permutation(y)
    ratio = np.where(y == 1, 5.0, 0.1) * rng.lognormal(0, 0.3, n)
    return Cases(at, at + 5 * STEP_NS, x, y, ratio, rng.random(n))


@pytest.fixture(scope="module")
def learned():
    cases = world()
    trained, test = train(cases, FAST)
    return cases, trained, test


def booster_of(trained):
    import lightgbm

    return lightgbm.Booster(model_str=trained.booster)


def scored(cases, trained, test) -> evaluation.Score:
    return evaluation.evaluate(trained, booster_of(trained).predict(cases.x[test]), cases, test)


def test_a_learnable_world_beats_every_baseline(learned):
    result = scored(*learned)
    assert [s.beaten for s in result.skills] == [True, True, True]
    assert result.pr_auc > 2 * result.prevalence
    assert result.calibration_error < 0.05


def test_shuffled_labels_beat_no_baseline():
    cases = world(5, shuffled=True)
    trained, test = train(cases, FAST)
    result = scored(cases, trained, test)
    assert [s.beaten for s in result.skills] == [False, False, False]
    assert result.pr_auc == pytest.approx(result.prevalence, abs=0.05)


def test_shuffled_labels_of_both_sides_beat_no_baseline():
    views = [world(6, shuffled=True), world(7, shuffled=True)]
    for cases, (trained, test) in zip(views, train_together(views, FAST), strict=True):
        result = scored(cases, trained, test)
        assert [s.beaten for s in result.skills] == [False, False, False]


def test_two_views_share_a_model_and_each_keeps_its_own_baselines_and_test():
    long, short = world(1), world(2)
    (one, test), (two, _) = train_together([long, short], FAST)
    assert (one.booster, one.calibrator, one.base_rate) == (two.booster, two.calibrator, two.base_rate)
    assert one.baselines["persistence"] != two.baselines["persistence"]
    ends = edges(joined([long, short]), FAST.shares)
    assert test.tolist() == blocks(long, ends)[-1].tolist()
    assert long.at_ns[test].min() >= short.available_ns[blocks(short, ends)[2]].max()
    alone = scored(long, *train(long, FAST)).brier
    assert scored(long, one, test).brier < alone, "twice the cases of one law teach more"


def test_equal_cases_make_byte_equal_models(learned):
    again, _ = train(world(), FAST)
    assert again.booster == learned[1].booster
    assert msgspec.json.encode(again.calibrator) == msgspec.json.encode(learned[1].calibrator)


def test_blocks_are_in_order_and_no_label_reaches_into_the_next():
    made = world()
    late = made.at_ns + 31 * STEP_NS
    cases = Cases(made.at_ns, late, made.x, made.y, made.future_ratio, made.past_ratio)
    parts = blocks(cases, edges(cases, FAST.shares))
    assert [len(p) > 0 for p in parts] == [True] * 4
    for before, after in pairwise(parts):
        assert cases.available_ns[before].max() <= cases.at_ns[after].min()
    assert sum(map(len, parts)) == len(cases.y) - 3 * 3


def test_blocks_hold_their_share_of_the_cases_however_the_time_between_them_is_spread():
    cases = world()
    apart = np.where(cases.at_ns > cases.at_ns[2000], 500 * DAY, 0)
    spread = Cases(
        cases.at_ns + apart, cases.available_ns + apart, cases.x, cases.y, cases.future_ratio, cases.past_ratio
    )
    sizes = [len(part) / len(cases.y) for part in blocks(spread, edges(spread, FAST.shares))]
    assert sizes == pytest.approx(FAST.shares, abs=0.001)


def test_without_a_stop_block_all_rounds_are_used():
    trained, _ = train(world(), msgspec.structs.replace(FAST, rounds=7, shares=(0.7, 0.0, 0.15, 0.15)))
    assert trained.rounds == 7
    assert len(trees.parse(trained.booster).roots) == 7


def test_a_block_of_one_class_is_refused_by_name():
    cases = world()
    quiet = Cases(cases.at_ns, cases.available_ns, cases.x, cases.y * 0, cases.future_ratio, cases.past_ratio)
    with pytest.raises(ValueError, match="the fit block has 0 bursts in 4800 cases: too little to train on"):
        train(quiet, FAST)


def test_vectors_meet_the_labels_of_their_instrument_and_minute():
    at = np.arange(10, 14) * STEP_NS
    labels = Labels(
        at,
        np.array([0, 1, -1, 1], np.int8),
        np.array([1.0, 2, 3, 4]),
        np.full(4, 2.0),
        np.array([np.nan, 1, 1, 4]),
        at + 6 * STEP_NS,
    )
    n = 5
    columns = {name: np.arange(n, dtype=np.float64) for name in NAMES}
    vectors = {
        "instrument": np.array([7, 7, 7, 7, 8]),
        "at_ns": np.array([9, 11, 12, 13, 11]) * STEP_NS,
        **columns,
    }
    cases = join(vectors, {7: labels})
    assert cases.x[:, 0].tolist() == [1, 3]
    assert cases.y.tolist() == [1, 1]
    assert cases.future_ratio.tolist() == [1, 2]
    assert cases.past_ratio.tolist() == [0.5, 2]
    assert (cases.available_ns // STEP_NS).tolist() == [17, 19]


def test_isotonic_example():
    """[LIB✓] sklearn: [1, 3, 2, 4, 3.5, 5] becomes [1, 2.5, 2.5, 3.75, 3.75, 5]: pools of violators."""
    made = calibration.IsotonicRegression().fit(np.arange(6), [1, 3, 2, 4, 3.5, 5])
    assert made.predict(np.arange(6)).tolist() == [1, 2.5, 2.5, 3.75, 3.75, 5]


def test_calibration_error_of_the_reliability_example():
    """[LIB✓] y and p of the sklearn example; three bins of equal mass, then the documented error by its own bins."""
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1], np.int8)
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 0.9, 1.0])
    mean, share, n = (np.array(v) for v in ([0.2, 0.525, 0.85], [0, 0.5, 1], [3, 2, 4]))
    assert (n * np.abs(mean - share)).sum() / 9 == pytest.approx(0.1388889, abs=5e-8)
    # equal mass: bins of three: |.2 - 0|, |.58333 - .66667|, |.9 - 1|, averaged
    assert calibration.calibration_error(y, p, 3) == pytest.approx((0.2 + 1 / 12 + 0.1) / 3)


def test_one_forecast_for_all_is_calibrated_if_it_is_the_share_of_bursts_whenever_they_came():
    y, p = np.zeros(1_500, np.int8), np.full(1_500, 0.05)
    y[300:375] = 1
    assert calibration.calibration_error(y, p) == pytest.approx(0, abs=1e-12)
    p[750:] = 0.01
    mean, share, n = calibration.reliability(y, p)
    assert (mean.round(9).tolist(), share.tolist(), n.tolist()) == ([0.01, 0.05], [0.0, 0.1], [750, 750])


def test_metrics_of_the_sklearn_documents():
    """[LIB✓] brier .0375; AP .8333333 and AUC .75; through `score`."""
    at = np.array([0, 1, 2, 3]) * DAY
    brier = evaluation.score(np.array([0, 1, 1, 0], np.int8), np.array([0.1, 0.9, 0.8, 0.3]), at, {})
    ranked = evaluation.score(np.array([0, 0, 1, 1], np.int8), np.array([0.1, 0.4, 0.35, 0.8]), at, {})
    spam = evaluation.score(np.array([1, 0, 0, 1], np.int8), np.array([0.9, 0.1, 0.2, 0.65]), at, {})
    assert brier.brier == pytest.approx(0.0375)
    assert (ranked.pr_auc, ranked.roc_auc) == (pytest.approx(0.8333333), 0.75)
    assert spam.log_loss == pytest.approx(0.2161618747, abs=1e-10)


def test_without_a_burst_there_is_no_skill_and_nothing_is_shown():
    from flows.commands.scores import grid, verdict

    at = np.arange(6) * DAY
    calm = evaluation.score(np.zeros(6, np.int8), np.full(6, 0.01), at, {"climatology": np.full(6, 0.1)})
    both = evaluation.score(np.eye(6, dtype=np.int8)[0], np.full(6, 0.01), at, {"climatology": np.full(6, 0.1)})
    assert (calm.skills, calm.pr_auc) == ([], None)
    assert verdict({("long", 5): calm}) == "nothing shown: there was no burst in the time of the test"
    table = grid({("long", 5): calm, ("short", 5): both})
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells[-2:] == ["-", "no bursts"]


def test_skill_without_six_days_beats_nothing_and_with_them_it_can():
    y, p, rate = np.array([0, 1] * 6, np.int8), np.array([0.1, 0.9] * 6), np.full(12, 0.5)
    at = np.repeat(np.arange(6), 2) * DAY
    few, enough = (evaluation.skill("x", y[:n], p[:n], rate[:n], at[:n]) for n in (10, 12))
    assert (few.skill, few.low, few.high, few.beaten) == (0.96, None, None, False)
    assert (enough.skill, enough.low, enough.beaten) == (0.96, 0.96, True)


def test_forecasts_of_pure_chance_beat_a_baseline_in_no_more_than_one_of_forty_tests_of_however_few_days():
    """Each day's better or worse is a toss; two days, of which both are better once in four, were called a win."""
    rng = np.random.default_rng(0)
    for days in range(2, 9):
        y, rate = np.tile(np.array([0, 1], np.int8), days), np.full(2 * days, 0.5)
        at = np.repeat(np.arange(days), 2) * DAY
        won = 0
        for _ in range(400):
            told = 0.5 + np.repeat(rng.choice((-0.01, 0.01), days), 2) * np.where(y == 1, 1, -1)
            won += evaluation.skill("x", y, told, rate, at).beaten
        assert won <= 400 / 40 + 3 * np.sqrt(400 / 40), (days, won)


def test_many_positives_are_calibrated_isotonically_and_inside_the_edges():
    rng = np.random.default_rng(1)
    score = rng.random(4000)
    made = calibration.fit(score, (rng.random(4000) < score**2).astype(np.int8))
    grid = np.linspace(0, 1, 101)
    p = probability(made, grid)
    assert made.kind == "isotonic"
    assert (np.diff(p) >= 0).all()
    assert (p >= 1e-4).all() and (p <= 1 - 1e-4).all()
    assert np.abs(p - grid**2).mean() < 0.05
    low, high = interval(made, grid)
    assert (low <= high).all()
    assert (high - low).mean() < 0.1
    assert np.isnan(probability(made, np.array([np.nan]))[0])
    assert np.isnan(interval(made, np.array([np.nan]))[0][0])


def test_few_independent_bursts_move_the_calibration_little():
    """Overlapping windows are one observation, however often they are counted: 600 cases at 1/60 weigh as ten."""
    rng = np.random.default_rng(4)
    score = rng.uniform(0.02, 0.3, 600)
    y = (rng.random(600) < np.clip(3 * score, 0, 1)).astype(np.int8)
    few, many = calibration.fit(score, y, 1 / 60), calibration.fit(score, y)
    assert few.kind == many.kind == "platt"
    slope, shift = few.values
    assert abs(slope - 1) < 0.5 and abs(shift) < 0.5
    asked = np.array([0.1])
    assert 0.1 < probability(few, asked)[0] < probability(many, asked)[0] < 0.35


def test_the_interval_of_platt_holds_the_truth_as_often_as_it_says_and_is_wide_where_little_was_seen():
    """90 % of blocks drawn from a known slope and shift, themselves drawn from the prior: coverage within 3 sd."""
    rng = np.random.default_rng(11)
    asked, held, wide = np.array([0.15]), [], []
    for _ in range(400):
        slope, shift = 1 + 0.5 * rng.standard_normal(), 0.5 * rng.standard_normal()
        score = rng.uniform(0.02, 0.5, 200)
        p = 1 / (1 + np.exp(-(slope * np.log(score / (1 - score)) + shift)))
        y = (rng.random(200) < p).astype(np.int8)
        if 0 < y.sum() < 200:
            made = calibration.fit(score, y)
            low, high = (float(end[0]) for end in interval(made, asked))
            truth = 1 / (1 + np.exp(-(slope * np.log(0.15 / 0.85) + shift)))
            held.append(low <= truth <= high)
            few = interval(calibration.fit(score, y, 1 / 20), asked)
            wide.append(float(few[1][0] - few[0][0]) > high - low)
    assert len(held) > 390
    assert abs(np.mean(held) - 0.9) < 3 * np.sqrt(0.09 / len(held))
    assert np.mean(wide) > 0.95


@pytest.mark.parametrize("seed", [2559, 2563, 2673, 2999])
def test_platt_finds_the_most_probable_map_for_scores_at_the_edges_too(seed):
    """Undamped, Newton's steps ran away on these: slopes above 40 where the gradient of the posterior is not 0."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([40, 400]))
    score = rng.beta(*rng.uniform(0.05, 3, 2), n)
    y = (rng.random(n) < score ** rng.uniform(0.3, 3)).astype(np.int8)
    y[:2] = 0, 1
    weight = 1 / float(rng.choice([1, 5, 60]))
    at = np.array(calibration.fit(score, y, weight).values)
    odds = np.log(np.clip(score, 1e-12, 1 - 1e-12) / (1 - np.clip(score, 1e-12, 1 - 1e-12)))
    short = 1 / (1 + np.exp(-(at[0] * odds + at[1]))) - y
    gradient = weight * np.array([(short * odds).sum(), short.sum()]) + (at - [1, 0]) / 0.25
    assert gradient == pytest.approx([0, 0], abs=1e-6)


def test_a_map_of_an_earlier_release_whose_interval_was_another_maps_is_refused(kept, learned):
    root, _ = kept
    version = save(root, learned[1], data_hash="other")
    folder = root / "versions" / version
    about = msgspec.json.decode((folder / "metadata.json").read_bytes())
    for name in [n for n in about["files"] if n.endswith(".json")]:
        old = msgspec.json.decode((folder / name).read_bytes())
        del old["covariance"]
        (folder / name).write_bytes(msgspec.json.encode(old))
        about["files"][name] = model_registry._hash((folder / name).read_bytes())
    described = model_registry._json(about)
    (folder / "metadata.json").write_bytes(described)
    folder.rename(folder.with_name("v" + model_registry._hash(described)[:12]))
    with pytest.raises(ValueError, match=r"its interval need not hold its own point, .* train it again"):
        model_registry.load(root, "v" + model_registry._hash(described)[:12])


def test_the_interval_equals_two_isotonic_fits_with_the_case_counted_both_ways():
    """Vovk, Petej & Fedorova (2015), by its definition, on scores that were seen."""
    rng = np.random.default_rng(2)
    score = np.round(rng.random(4000), 2)
    y = (rng.random(4000) < score).astype(np.int8)
    made = calibration.fit(score, y)
    assert made.kind == "isotonic"
    for s in np.unique(score)[::10]:
        ends = []
        for counted in (0, 1):
            fit = calibration.IsotonicRegression().fit(np.append(score, s), np.append(y, counted))
            ends.append(fit.predict([s])[0])
        got = interval(made, np.array([s]))
        assert [got[0][0], got[1][0]] == pytest.approx(np.clip(ends, 1e-4, 1 - 1e-4), abs=1e-9)


def test_a_baseline_of_constant_input_is_the_climatology():
    y = np.array([0, 0, 0, 1], np.int8)
    got = baselines.predict(baselines.fit(np.zeros(4), y), np.zeros(1))
    assert got[0] == pytest.approx(0.25)


def test_the_worked_confidence():
    """[HAND] p0 .31, p1 .37, Q .9: .94 * .9."""
    got = confidence(np.array(0.31), np.array(0.37), np.array(0.9))
    assert float(got) == pytest.approx(0.846)


def test_levels_go_up_at_once_and_down_after_three_calm_minutes():
    b, q99 = np.array([0.05]), np.array([1e6])
    force, calm, seen = np.zeros(1, np.int64), np.zeros(1, np.int64), []
    for p in (0.05, 0.3, 0.22, 0.19, 0.19, 0.19, 0.6, 0.0, float("nan"), 0.0, 0.0, 0.0):
        x, usd = np.array([p]), np.array([6e5])
        now, slack = risk_levels.level(x, b, usd, q99), risk_levels.level(x, b, usd, q99, risk_levels.SLACK)
        force, calm = risk_levels.hold(force, calm, now, slack, ~np.isnan(x))
        seen.append(risk_levels.LEVELS[force[0]])
    assert seen == [
        "low",
        "high",
        "high",
        "high",
        "high",
        "medium",
        "critical",
        "critical",
        "critical",
        "critical",
        "critical",
        "low",
    ]


@pytest.fixture
def kept(tmp_path, learned):
    _, trained, _ = learned
    return tmp_path, save(tmp_path, trained)


def save(root, trained, settle=lambda path: None, **changes) -> str:
    cards = [
        model_registry.Card(
            side,
            minutes,
            f"{side}_{minutes}.txt",
            f"{side}_{minutes}.json",
            trained.rounds,
            trained.base_rate,
            trained.mean_burst_ratio,
            trained.mean_calm_ratio,
            trained.q99_ratio,
            {"pr_auc": 0.5},
            trained.baselines,
        )
        for side in ("long", "short")
        for minutes in (5, 60)
    ]
    about = model_registry.Metadata(FEATURE_VERSION, LABEL_VERSION, list(NAMES), 0, 1, "d", {"seed": 1.0}, cards)
    about = msgspec.structs.replace(about, **changes)
    return model_registry.save(
        root, about, {c.key: trained.booster for c in cards}, {c.key: trained.calibrator for c in cards}, settle
    )


def test_equal_training_makes_the_same_version_and_saving_it_twice_changes_nothing(kept, learned):
    root, version = kept
    assert save(root, learned[1]) == version
    assert model_registry.versions(root) == [version]


def test_a_stored_version_is_scored_like_the_model_that_it_was(kept, learned):
    from flows.learning.modelling import scored, scored_version

    cases, trained, test = learned
    of = model_registry.load(*kept)
    assert scored_version(of, of.metadata.models[0], cases, test) == scored(trained, cases, test)


def test_promotion_and_rollback(kept, learned):
    root, first = kept
    assert model_registry.champion(root) is None
    model_registry.promote(root, first)
    second = save(root, learned[1], data_hash="other")
    model_registry.promote(root, second)
    assert model_registry.champion(root) == second
    assert model_registry.rollback(root) == first == model_registry.champion(root)
    with pytest.raises(ValueError, match="there is no earlier champion to go back to"):
        model_registry.rollback(root)


@pytest.mark.parametrize("asked", ["promote", "rollback"])
def test_a_version_that_the_flows_were_not_told_of_is_not_champion_and_can_be_asked_for_again(
    kept, learned, monkeypatch, asked, capsys
):
    root, first = kept
    second, third = (save(root, learned[1], data_hash=name) for name in ("second", "third"))
    for version in (first, second, third):
        model_registry.promote(root, version)
    wanted = first if asked == "promote" else second
    command = partial(commands.promote, first) if asked == "promote" else commands.rollback
    on = {"set": (f"forecast.models={root}", "kafka.brokers=nowhere:1")}

    def away(settings, version):
        raise Unreachable("no broker")

    monkeypatch.setattr(commands, "loader", lambda told: lambda name: build(model_registry.load(root, name)))
    monkeypatch.setattr(commands, "put_in_force", away)
    for _ in range(2):
        with pytest.raises(Unreachable):
            command(**on)
        assert model_registry.champion(root) == third, "the flows use it still"
    told = []
    monkeypatch.setattr(commands, "put_in_force", lambda settings, version: told.append(version.version) or 60_000)
    assert command(**on) == 0
    assert told == [wanted] == [model_registry.champion(root)]
    assert capsys.readouterr().out == f"{wanted} is champion, in force from 1970-01-01T00:01:00.000 UTC\n"


@pytest.mark.parametrize("name", ["long_5.txt", "short_60.json", "metadata.json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_corrupt_version_is_refused_in_one_line_and_the_champion_goes_on(kept, learned, name, how):
    root, champion = kept
    model_registry.promote(root, champion)
    version = save(root, learned[1], data_hash="other")
    path = root / "versions" / version / name
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data if how == "flipped" else data[: len(data) // 2])
    for use in (model_registry.load, model_registry.promote):
        with pytest.raises(ValueError, match=f"model {version} is corrupt: {name}") as error:
            use(root, version)
        assert "\n" not in str(error.value)
    assert model_registry.champion(root) == champion


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("left_child", "0", "a tree with a child that it does not have"),
        ("right_child", "-99999", "a tree with a child that it does not have"),
        ("split_feature", "9999", "a tree that splits on what it does not have"),
    ],
)
def test_a_booster_whose_trees_run_in_a_circle_or_out_of_themselves_is_refused(learned, field, value, why):
    """Its hash may be right: walked, the first would never end, the others read what is beside the arrays."""
    _, trained, _ = learned
    head, told, rest = trained.booster.partition(f"\n{field}=")
    with pytest.raises(ValueError, match=why):
        trees.parse(head + told + value + rest[min(rest.index(" "), rest.index("\n")) :])


def test_a_database_without_vectors_is_said_in_one_short_line():
    """ClickHouse's own words repeat the statement: five thousand characters."""

    class Empty:
        def rows(self, statement, **_):
            raise StoreError(f"Unknown table expression identifier 'forecast_vectors' in scope {statement}", 60)

    with pytest.raises(Refused, match=r"^there is no table forecast_vectors: run `alphaplus migrate`, or name another"):
        vectors.read(Empty(), 60)


@pytest.mark.parametrize("ask", [commands.list_versions, evaluate, commands.rollback], ids=lambda ask: ask.__name__)
def test_a_champion_that_cannot_be_read_is_said_in_one_line_by_every_command_that_asks_for_it(kept, ask):
    root, _ = kept
    (root / "champion.json").write_bytes(b"{bad")
    with pytest.raises(Refused, match=r"^[^\n]*champion\.json is corrupt[^\n]*$"):
        ask(set=(f"forecast.models={root}",), data=root)


def test_a_version_and_the_champion_are_on_the_disk_before_they_count(tmp_path, learned):
    seen = []

    def settle(path):
        seen.append(
            (
                path.relative_to(tmp_path).as_posix(),
                model_registry.versions(tmp_path),
                model_registry.champion(tmp_path),
            )
        )

    version = save(tmp_path, learned[1], settle=settle)
    partial = f"versions/.{version}.partial"
    names = sorted(p.name for p in (tmp_path / "versions" / version).iterdir())
    before = [path for path, versions, _ in seen if not versions]
    assert sorted(before) == sorted([partial, *(f"{partial}/{name}" for name in names)])
    assert before[-1] == partial and seen[-1][:2] == ("versions", [version])
    seen.clear()
    model_registry.promote(tmp_path, version, settle)
    assert [(path, champion) for path, _, champion in seen] == [("champion.json.partial", None), (".", version)]


def test_a_version_for_other_features_is_refused(kept, learned):
    root, _ = kept
    version = save(root, learned[1], feature_version="0000")
    with pytest.raises(ValueError, match=f"model {version} was made for features 0000, here are {FEATURE_VERSION}"):
        model_registry.promote(root, version)
    relabelled = save(root, learned[1], label_version="old")
    with pytest.raises(ValueError, match="was made for labels old"):
        model_registry.load(root, relabelled)


def test_an_unknown_version_is_refused(kept):
    with pytest.raises(ValueError, match="no model version 'v0'"):
        model_registry.load(kept[0], "v0")
    with pytest.raises(ValueError, match="no model version"):
        model_registry.load(kept[0], "../versions")


def test_a_booster_that_is_no_booster_is_refused(kept):
    version = model_registry.load(*kept)
    broken = model_registry.Version("v1", version.metadata, {("long", 5): "tree\nnonsense"}, version.calibrators)
    with pytest.raises(ValueError, match=r"model v1: booster \('long', 5\)"):
        build(broken)


class Evil:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return exec, (f"open({str(self.trace)!r}, 'w')",)


def test_a_model_file_that_is_a_pickle_is_refused_and_nothing_of_it_is_run(tmp_path, learned):
    trace = tmp_path / "was-here"
    pickled = pickle.dumps(Evil(trace), 0).decode("ascii")
    forged = replace(learned[1], booster=pickled)
    version = save(tmp_path, forged)
    with pytest.raises(ValueError, match="not the text of a LightGBM booster"):
        build(model_registry.load(tmp_path, version))
    folder = tmp_path / "versions" / version
    for file in folder.iterdir():
        whole = file.read_bytes()
        file.write_bytes(pickled.encode() + b" ")
        with pytest.raises(ValueError, match="is corrupt"):
            model_registry.load(tmp_path, version)
        file.write_bytes(whole)
    assert not trace.exists()


def test_a_version_that_names_a_file_outside_its_folder_is_refused(tmp_path, learned):
    version = save(tmp_path, learned[1])
    folder = tmp_path / "versions" / version
    about = json.loads((folder / "metadata.json").read_bytes())
    about["files"]["../../champion.json"] = "0"
    described = json.dumps(about).encode()
    (folder / "metadata.json").write_bytes(described)
    forged = "v" + hashlib.blake2b(described, digest_size=16).hexdigest()[:12]
    folder.rename(folder.parent / forged)
    with pytest.raises(ValueError, match=r"names a file outside its folder, '\.\./\.\./champion\.json'"):
        model_registry.load(tmp_path, forged)


def test_a_forecast_row_for_every_vector_side_and_horizon(kept, learned):
    cases, trained, _ = learned
    by = build(model_registry.load(*kept))
    out = forecast(by, cases.x[:50], np.ones(50, np.bool_), np.full((50, 4), 1e5))
    assert set(out) == {c.name for c in WRITES} | {"row"}
    assert len(out["row"]) == 50 * 4
    expected = probability(trained.calibrator, booster_of(trained).predict(cases.x[:50]))
    assert out["p_burst"][::4] == pytest.approx(expected, rel=1e-9)
    assert (out["p_burst_low"] <= out["p_burst_high"]).all()
    assert set(out["abstain_reason"].tolist()) == {""}
    strongest = json.loads(out["top_factors"][int(np.argmax(out["p_burst"]))])
    assert {"book", "liquidations"} <= set(strongest)
    for column in WRITES:
        assert all(column.holds(value) for value in out[column.name].tolist()), column.name


def test_it_abstains_with_a_reason_when_book_or_features_are_bad(kept, learned):
    cases, _, _ = learned
    by = build(model_registry.load(*kept))
    x = cases.x[:3].copy()
    x[1, [NAMES.index(n) for n in ("book_age_s", "tape_age_s", "derivatives_age_s")]] = [9, np.nan, 1]
    out = forecast(by, x, np.array([False, True, True]), np.full((3, 4), 1e5))
    reasons = out["abstain_reason"].reshape(3, 4)[:, 0].tolist()
    assert reasons == ["the book is not to be trusted", "features are stale", ""]
    for name in ("p_burst", "confidence", "expected_notional_usd"):
        assert np.isnan(out[name].reshape(3, 4)).tolist() == [[True] * 4, [True] * 4, [False] * 4]
    assert set(out["risk_level"][:8].tolist()) == {""}


def test_what_is_expected_of_an_instrument_goes_by_its_own_size_though_all_share_a_model(kept, learned):
    """A mean of USD over all that it was fitted on had told of BTC a quarter of what came, of DOGE twice."""
    cases, trained, _ = learned
    by = build(model_registry.load(*kept))
    x, usd = np.repeat(cases.x[:1], 3, axis=0), np.array([1e5, 1e7, np.nan])
    out = {n: c.reshape(3, 4)[:, 0] for n, c in forecast(by, x, np.ones(3, np.bool_), np.tile(usd, (4, 1)).T).items()}
    p = out["p_burst"][0]
    ratio = p * trained.mean_burst_ratio + (1 - p) * trained.mean_calm_ratio
    assert out["expected_notional_usd"] == pytest.approx(usd * ratio, nan_ok=True)
    assert out["risk_level"][0] == out["risk_level"][1]
    assert trained.mean_burst_ratio == pytest.approx(5.0, rel=0.1) and trained.mean_calm_ratio < 0.2


def test_freshness_counts_families():
    x = np.zeros((2, len(NAMES)))
    x[1, NAMES.index("derivatives_age_s")] = 31
    assert freshness(x).tolist() == pytest.approx([1, 7 / 8])


def test_the_walk_equals_lightgbm_and_its_contributions_add_up(learned):
    cases, trained, _ = learned
    x = cases.x[:500].copy()
    x[0] = np.nan
    x[1] = 0
    made = trees.parse(trained.booster)
    score, parts = trees.walk(made, x, np.arange(len(NAMES)) % 3, 3)
    assert score.tolist() == booster_of(trained).predict(x, raw_score=True).tolist()
    rest = score - parts.sum(axis=1)
    assert rest == pytest.approx(np.full(500, rest[0]), abs=1e-9)


@pytest.mark.parametrize("missing", [False, True])
def test_the_walk_equals_lightgbm_whether_training_saw_gaps_or_zeros(missing):
    import lightgbm

    rng = np.random.default_rng(3)
    x = rng.normal(size=(2000, 4)) * (rng.random((2000, 4)) < 0.7)
    y = (x[:, 0] + x[:, 1] > 0.3).astype(int)
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    told = {"objective": "binary", "verbosity": -1, "num_threads": 1, "zero_as_missing": not missing}
    booster = lightgbm.train(told, lightgbm.Dataset(x, y), 10)
    seen = np.concatenate((x, np.zeros((1, 4)), np.full((1, 4), np.nan)))
    score, _ = trees.walk(trees.parse(booster.model_to_string()), seen, np.zeros(4), 1)
    assert score.tolist() == booster.predict(seen, raw_score=True).tolist()


def test_an_empty_batch_gives_no_rows(kept):
    out = forecast(
        build(model_registry.load(*kept)), np.empty((0, len(NAMES))), np.empty(0, np.bool_), np.empty((0, 4))
    )
    assert len(out["p_burst"]) == 0


def test_a_calibrator_survives_its_file(learned):
    made = learned[1].calibrator
    assert msgspec.json.decode(msgspec.json.encode(made), type=Calibrator) == made
