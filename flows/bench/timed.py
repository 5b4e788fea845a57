"""Timed: a bounded flow that watches its own counters: `python -m flows.bench.timed FLOW --settings F ... --out FILE`.

The file then holds samples of (seconds, frames or records read, rows written), the last one taken when all was
committed and the flow had ended.
"""

import argparse
import importlib
import json
import sys
import threading
import time
from pathlib import Path

from flows.engine import compiled

EVERY_S = 0.01


def main() -> int:
    """As a process."""
    parser = argparse.ArgumentParser(prog="python -m flows.bench.timed", description=__doc__)
    parser.add_argument("flow", choices=("market", "archive"))
    for name in ("settings", "recovery", "ends", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    compiled.cache()
    from flows.engine.outgoing import ROWS  # noqa: PLC0415
    from flows.engine.runner import run  # noqa: PLC0415
    from flows.kafka.epochs import Stopping  # noqa: PLC0415
    from flows.kafka.reader import READ  # noqa: PLC0415
    from flows.recovery.directory import Recovery  # noqa: PLC0415
    from flows.session.supervisor import end_with_parent  # noqa: PLC0415
    from flows.settings.sources import environment, load  # noqa: PLC0415

    end_with_parent()
    module = importlib.import_module(f"flows.{given.flow}")
    counters = (module.FRAMES, ROWS) if given.flow == "market" else (READ, module.ARCHIVED)

    def totals() -> list[float]:
        return [
            sum(s.value for family in c.collect() for s in family.samples if s.name.endswith("_total"))
            for c in counters
        ]

    told = load(given.settings, environment())
    held = Recovery(given.recovery)
    stopping = Stopping()
    dataflow = module.build(told, held.run_id, stopping, given.ends)
    samples: list[tuple[float, ...]] = []
    ended = threading.Event()
    began = time.perf_counter()

    def watch() -> None:
        while not ended.wait(EVERY_S):
            samples.append((time.perf_counter() - began, *totals()))

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    try:
        code = run(dataflow, held, module.identity(told), stopping, told.recovery.epoch_ms)
        end_s = time.perf_counter() - began
    finally:
        ended.set()
        watcher.join()
        held.close()
    samples = [s for s in samples if s[0] < end_s]
    given.out.write_text(json.dumps([(0.0, 0.0, 0.0), *samples, (end_s, *totals())]))
    return code


if __name__ == "__main__":
    sys.exit(main())
