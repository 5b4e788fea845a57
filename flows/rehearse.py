"""The background process of a demo that makes its model: trains on a simulated market of other seeds, and promotes it.

No trained model comes with this package. `python -m flows.rehearse --settings FILE --seed N`
"""

import argparse
import os
import sys
import time
from pathlib import Path

from flows import modelling, rehearsal
from flows.compiled import cache
from flows.forecast import folder, how
from flows.promotion import publish_scores, put_in_force
from flows.settings import load
from flows.supervisor import end_with_parent
from models import registry

SYMBOLS = ("BTCUSDT", "SOLUSDT", "DOGEUSDT")
HOURS = 20.0
NICE = 5


def main() -> int:
    """Say on standard output how far it is; the screen shows the last line."""
    parser = argparse.ArgumentParser(prog="python -m flows.rehearse", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings of the session")
    parser.add_argument("--seed", type=int, required=True, help="seed of the simulated market to train on")
    parser.add_argument("--hours", type=float, default=HOURS, help="simulated hours")
    given = parser.parse_args()
    cache()
    end_with_parent()
    os.nice(NICE)
    told, began = load(given.settings, {}), time.monotonic()
    made, shown = {}, {}
    print(f"model: simulating {given.hours:g} h of seed {given.seed} to train on, no model comes with this", flush=True)
    vectors = rehearsal.whole([given.seed], SYMBOLS, given.hours, how(told))
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
    version = modelling.save(root, made, vectors, told.forecast, modelling.QUICK)
    registry.promote(root, version)
    publish_scores(told, version, shown)
    put_in_force(told, registry.load(root, version))
    print(f"model: {version} trained on {given.hours:g} simulated h of seed {given.seed} in {took}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
