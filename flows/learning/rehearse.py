"""The background process of a demo that makes its model: trains on a simulated market of other seeds, and promotes it.

No trained model comes with this package. Few markets and hours, so that it is there within minutes: the version's
metadata says how many. `python -m flows.learning.rehearse --settings FILE --seed N`
"""

import argparse
import sys
import time
from pathlib import Path

from flows.engine.compiled import cache
from flows.forecast import folder, how
from flows.kafka.topic_making import end_offsets
from flows.learning import modelling, rehearsal
from flows.learning.promotion import publish_scores, put_in_force
from flows.recovery.durable import settle
from flows.session.supervisor import end_with_parent
from flows.settings.sources import environment, load
from flows.settings.tree import Settings
from flows.tables import BY_NAME
from models import model_registry
from models.dataset import together

SYMBOLS = ("BTCUSDT", "SOLUSDT", "DOGEUSDT")
MARKETS = 3
HOURS = 16.0
PATIENCE_S = 60.0


def wait_for_flows(told: Settings) -> None:
    """Until there is a tape row, or for a minute: what the flows compile is then there, not compiled twice at once."""
    until = time.monotonic() + PATIENCE_S
    tape = told.kafka.prefix + BY_NAME["features_tape"].topic
    while time.monotonic() < until and not any(end_offsets(told.kafka, tape)):
        time.sleep(2.0)


def main() -> int:
    """Say on standard output how far it is; the screen shows the last line."""
    parser = argparse.ArgumentParser(prog="python -m flows.learning.rehearse", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings of the session")
    parser.add_argument("--seed", type=int, required=True, help="seed of the first simulated market to train on")
    parser.add_argument("--markets", type=int, default=MARKETS, help="simulated markets, of consecutive seeds")
    parser.add_argument("--hours", type=float, default=HOURS, help="simulated hours of each")
    given = parser.parse_args()
    cache()
    end_with_parent()
    told, began = load(given.settings, environment()), time.monotonic()
    made, shown = {}, {}
    seeds = list(range(given.seed, given.seed + given.markets))
    of = f"{given.markets} simulated markets of {given.hours:g} h, seeds {seeds[0]} to {seeds[-1]}"
    print(f"model: none comes with this, one is made: {of}", flush=True)
    wait_for_flows(told)
    parts = []
    for seed, part in rehearsal.days(seeds, SYMBOLS, given.hours, how(told)):
        parts.append(part)
        print(f"model: simulated seed {seed}, {len(parts)} of {len(seeds)} markets to train on", flush=True)
    vectors = together(parts)
    print(f"model: training on {len(vectors.at_ns):,} simulated minutes", flush=True)
    for key, trained, cases, test in modelling.fit(vectors, told.forecast, modelling.QUICK):
        if isinstance(trained, str) or not len(test):
            print(
                f"model: {key[0]} {key[1]} min: none: {trained if isinstance(trained, str) else 'no test'}", flush=True
            )
            continue
        made[key] = trained, modelling.scored(trained, cases, test)
        shown[key] = made[key][1], cases.at_ns[test]
    took = f"{time.monotonic() - began:.0f} s"
    if not made:
        print(f"model: none after {took}: too few bursts in the simulated time", flush=True)
        return 0
    root = folder(told)
    simulated = {"simulated_markets": given.markets, "simulated_hours": given.hours, "simulated_seed": given.seed}
    version = modelling.save(root, made, vectors, told.forecast, modelling.QUICK, simulated)
    publish_scores(told, version, shown)
    put_in_force(told, model_registry.load(root, version))
    model_registry.promote(root, version, settle)
    print(f"model: {version} trained on {of} in {took}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
