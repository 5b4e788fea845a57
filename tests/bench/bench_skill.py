"""Skill on simulated days that were never trained on: `python -m tests.bench.bench_skill --train 101,102 --test 201`.

Every seed is a market of its own, one after the other in simulated time, through the operators of the flows. The
training seeds fit, stop and calibrate by the shares of `modelling.DAYS`; the test seeds are used for nothing but the
figures. `--shuffle` shuffles the labels that the models see, not those of the baselines: nothing may be beaten then.
`--keep` caches datasets.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from flows.commands.scores import WIDTH, grid, verdict
from flows.learning import modelling, rehearsal
from flows.settings.tree import Forecast
from models import baselines, evaluation, training
from models.bursts import SIDES, How
from models.dataset import Dataset, together
from models.vector_items import FEATURE_VERSION

SYMBOLS = ("BTCUSDT", "SOLUSDT", "DOGEUSDT")


def dataset(seeds: list[int], first_day: int, hours: float, told: Forecast, keep: Path | None) -> Dataset:
    """The vectors of the seeds, from day `first_day` on, a whole number of days each."""
    parts = []
    for at, seed in enumerate(seeds):
        file = keep / f"{seed}-{hours:g}h-{FEATURE_VERSION}.npz" if keep else None
        if file is not None and file.exists():
            with np.load(file) as held:
                made = Dataset(**{name: held[name] for name in Dataset.__slots__})
        else:
            made = rehearsal.whole([seed], SYMBOLS, hours, How(told.horizons_min, told.floor_usd))
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(file, **{name: getattr(made, name) for name in Dataset.__slots__})
        days = -(-int(made.at_ns.max() - made.at_ns.min()) // evaluation.DAY_NS)
        start = made.at_ns.min() // evaluation.DAY_NS
        shift = (first_day + at * days - start) * evaluation.DAY_NS
        parts.append(later(made, int(shift)))
    return together(parts)


def later(of: Dataset, shift_ns: int) -> Dataset:
    """The same days later."""
    return Dataset(of.instrument, of.at_ns + shift_ns, of.x, of.usd, of.book_ok)


def shuffled(cases: training.Cases, seed: int) -> training.Cases:
    """The same cases with labels that say nothing."""
    y = np.random.default_rng(seed).permutation(cases.y)
    return training.Cases(cases.at_ns, cases.available_ns, cases.x, y, cases.future_ratio, cases.past_ratio)


def main() -> None:
    """Train on some seeds, score on others, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--shuffle", action="store_true", help="shuffle the labels of the training days")
    given = parser.parse_args()
    told = Forecast()
    train, test = ([int(s) for s in text.split(",")] for text in (given.train, given.test))
    learnt = dataset(train, 20_000, given.hours, told, given.keep)
    unseen = dataset(test, 21_000, given.hours, told, given.keep)
    shown = {}
    for horizon in told.horizons_min:
        views, held = ([d.cases(side, horizon, told.floor_usd) for side in SIDES] for d in (learnt, unseen))
        taught = [shuffled(cases, seed) for seed, cases in enumerate(views)] if given.shuffle else views
        try:
            made = training.train_together(taught, modelling.DAYS)
        except ValueError as error:
            print(f"{horizon} min: {error}")
            continue
        for side, (trained, _), known, cases in zip(SIDES, made, views, held, strict=True):
            inputs = training.baseline_inputs(known)
            fair = replace(trained, baselines={name: baselines.fit(x, known.y) for name, x in inputs.items()})
            shown[side, horizon] = modelling.scored(fair, cases, np.arange(len(cases.y)))
        bursts = ", ".join(f"{int(of.y.sum())} of {side}s" for side, of in zip(SIDES, views, strict=True))
        print(f"{horizon} min: {made[0][0].rounds} rounds on {bursts} bursts in {sum(len(of.y) for of in views)} cases")
    console = Console(width=WIDTH, highlight=False)
    console.print(f"seeds {given.train} trained on{', labels shuffled' * given.shuffle}; seeds {given.test} scored")
    console.print(grid(shown))
    console.print(verdict(shown))


if __name__ == "__main__":
    main()
