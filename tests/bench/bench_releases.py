"""CPU time of this release beside that of another commit, on the same frames, in turns.

`python -m tests.bench.bench_releases COMMIT VENUE=FILE... [--repeats 5] [--without TABLES]`: JSON bytes to closed windows, one
second in which 1,000 books close a window, and the bytes of their freeze. Each turn is a process of its own on a
checkout of its own; medians, and of the ratios the median over the turns. `--without`: this release leaves out tables,
named with commas between, or `all` that can be left out; an older one may not have them.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, get_args, get_type_hints

from flows.bench import in_process, instruments, material, multiplied

HERE = Path(__file__).parents[2]
BOOKS, SECONDS = 1000, 20


def settings(without: str) -> Any:
    """The defaults of whichever release this process runs; they stood in another module before."""
    try:
        from flows.settings.tree import Settings
    except ModuleNotFoundError:
        from flows import settings as before

        return before.Settings()  # type: ignore[attr-defined]
    if not without:
        return Settings()
    from msgspec.structs import replace

    market = Settings().market
    optional = get_args(get_args(get_type_hints(type(market))["without"])[0])
    named = optional if without == "all" else tuple(without.split(","))
    if unknown := sorted(set(named) - set(optional)):
        raise SystemExit(f"--without: {', '.join(unknown)} cannot be left out; {', '.join(optional)} can")
    return replace(Settings(), market=replace(market, without=named))


def measured(spec: str, without: str) -> dict[str, float]:
    """What this process's release takes."""
    (of,), told = material.materials([spec]), settings(without)
    size = told.source.batch_frames
    steps = list(in_process.batches(of.venue, of.frames, size))

    def windows() -> float:
        began = time.process_time()
        market = in_process.opened(of.venue, told)
        in_process.feed(market, steps)
        in_process.finish(market)
        return time.process_time() - began

    windows()
    took = {"JSON to closed windows, s": min(windows() for _ in range(5))}
    source = multiplied.multiplied(of, BOOKS, BOOKS, instruments.START_NS)
    market = in_process.opened(of.venue, told)
    whole = itertools.islice(source, multiplied.whole_book(of, BOOKS))
    in_process.feed(market, in_process.batches(of.venue, whole, size))
    market.mark("trades", ended=True)
    depth = (frame for frame in source if frame.kind == "depth")
    seconds = list(in_process.batches(of.venue, itertools.islice(depth, SECONDS * BOOKS), BOOKS))
    began = time.process_time()
    in_process.feed(market, seconds)
    took[f"closing {BOOKS:,} books, ms/s"] = 1e3 * (time.process_time() - began) / SECONDS
    took[f"freeze of {BOOKS:,} books, MB"] = len(market.freeze()) / 1e6
    return took


def turn(checkout: Path, spec: str, without: str) -> dict[str, float]:
    """The same, of the release in a checkout, by this very file."""
    command = [sys.executable, str(Path(__file__)), "-", spec, "--turn", "--without", without]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    )
    took: dict[str, float] = json.loads(done.stdout)
    return took


def main() -> None:
    """Print a table a venue."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_releases", description=__doc__)
    parser.add_argument("commit", help="the release to compare with")
    parser.add_argument("captures", nargs="+", metavar="VENUE=FILE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without", default="", metavar="TABLES")
    parser.add_argument("--turn", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    settings(given.without)
    if given.turn:
        print(json.dumps(measured(given.captures[0], given.without)))
        return
    specs = [f"{venue}={Path(file).absolute()}" for venue, _, file in (pair.partition("=") for pair in given.captures)]
    with tempfile.TemporaryDirectory(prefix="alphaplus-release-") as folder:
        other = Path(folder) / "checkout"
        git = ["git", "-C", str(HERE), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(other), given.commit], check=True)
        try:
            for spec in specs:
                turns = [(turn(other, spec, ""), turn(HERE, spec, given.without)) for _ in range(1 + given.repeats)][
                    1:
                ]  # the first compiles
                print(spec.partition("=")[0])
                for name in turns[0][0]:
                    then, now = (statistics.median(t[i][name] for t in turns) for i in (0, 1))
                    ratio = statistics.median(new[name] / old[name] for old, new in turns)
                    print(f"  {name}: {given.commit} {then:.3g}, this {now:.3g}; ratio {ratio:.2f}")
        finally:
            subprocess.run([*git, "remove", "--force", str(other)], check=True)


if __name__ == "__main__":
    main()
