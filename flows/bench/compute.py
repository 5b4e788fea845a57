"""Compute: JSON bytes to closed windows on one core, without a broker, beside the bound and the event-by-event flow.

CPU seconds of this process, the ways taking turns within each repetition.
"""

import time
from collections.abc import Callable

from flows.bench.alternatives import event_flow
from flows.bench.alternatives.scan import scan, scanner
from flows.bench.in_process import batches, feed, finish, opened
from flows.bench.material import Material
from flows.bench.result import Result, ratios
from flows.bench.size import Size
from flows.settings.tree import Settings
from schemas.instrument import InstrumentTable

TARGETS = {"binance-usdm": ("level updates/s", ">= 10 M"), "binance-coinm": ("frames/s", ">= 400,000")}


def cpu_s(run: Callable[[], object]) -> float:
    """CPU time of one run."""
    began = time.process_time()
    run()
    return time.process_time() - began


def measure(materials: list[Material], settings: Settings, size: Size) -> list[Result]:
    """Rates of every venue's frames as they were recorded."""
    return [result for material in materials for result in _one(material, settings, size)]


def _one(material: Material, settings: Settings, size: Size) -> list[Result]:
    venue, row = material.venue, f"compute {material.venue.name}"
    frames = material.frames[: size.frames]
    steps = list(batches(venue, frames, settings.source.batch_frames))
    levels = 0
    table = InstrumentTable()
    for step in steps:
        if "depth" in step:
            levels += len(venue.depth(step["depth"], table)[0].ticks)
    values = [f.data for f in frames]
    parser, parse = scanner()

    def ours() -> None:
        market = opened(venue, settings)
        feed(market, steps)
        finish(market)

    ways: dict[str, Callable[[], object]] = {"ours": ours, "scan": lambda: scan(parse, values)}
    if venue.name.startswith("binance"):
        raw = [(f.data, f.symbol) for f in frames]
        ways["events"] = lambda: event_flow.run(raw)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    ours()
    for _ in range(size.repeats):
        for name, way in ways.items():
            taken[name].append(cpu_s(way))
    megabytes = sum(map(len, values)) / 1e6
    amounts = {"frames/s": len(frames), "level updates/s": levels, "MB/s": megabytes}
    unit_of_target, target = TARGETS.get(venue.name, ("", ""))
    out = [
        Result(row, "windows", tuple(n / s for s in taken["ours"]), unit, target if unit == unit_of_target else "")
        for unit, n in amounts.items()
    ]
    out.append(Result(row, f"{parser}, parsing only", tuple(megabytes / s for s in taken["scan"]), "MB/s"))
    out.append(Result(row, f"windows / {parser}", ratios(taken["scan"], taken["ours"]), "x", ">= 0.25"))
    if "events" in taken:
        out.append(Result(row, "Bytewax by event", tuple(len(frames) / s for s in taken["events"]), "frames/s"))
        out.append(Result(row, "windows / by event", ratios(taken["events"], taken["ours"]), "x", ">= 20"))
    return out
