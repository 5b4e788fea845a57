"""Material: the frames that are measured, from captures or from the simulated market."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.captures.capture import CaptureError, Recorded, read
from flows.refusal import Refused
from flows.settings.tree import SettingsError
from models.simulator import Settings as Simulated
from models.simulator import market
from schemas.venue import Venue
from schemas.venues.registry import VENUES

KINDS = ("depth", "trades")
SIMULATED = Simulated(
    symbols=("BTCUSDT",), seconds=60, intensity=100.0, levels=1000, snapshot_every_s=3600, warm_up_s=60, accounts=0
)


@dataclass(frozen=True, slots=True)
class Material:
    """Depth and trade frames of one venue, in order of receipt; `spec` are the arguments that give them again."""

    venue: Venue
    frames: tuple[Recorded, ...]
    spec: tuple[str, ...]


def simulated() -> Iterator[Recorded]:
    """One simulated instrument, 100 frames a second."""
    for frame in market(SIMULATED):
        if frame.kind in KINDS:
            named = not frame.data.startswith(b'{"lastUpdateId"')
            yield Recorded(frame.received_ns, frame.kind, frame.symbol, named, frame.data)


def materials(spec: Sequence[str]) -> list[Material]:
    """`VENUE=FILE` arguments, files of one venue continuing each other; the simulated market when there is none."""
    if not spec:
        return [Material(VENUES[SIMULATED.venue], tuple(simulated()), ())]
    files: dict[str, list[str]] = {}
    for pair in spec:
        name, equals, file = pair.partition("=")
        if not equals or name not in VENUES:
            raise SettingsError(f"{pair!r}: write VENUE=FILE, with VENUE one of {', '.join(VENUES)}")
        if not Path(file).is_file():
            raise SettingsError(f"{file}: there is no such file")
        files.setdefault(name, []).append(file)
    out = []
    for name, paths in files.items():
        try:
            found = tuple(r for p in paths for r in read(Path(p), VENUES[name]) if r.kind in KINDS)
        except CaptureError as error:
            raise SettingsError(str(error)) from None
        if not found:
            raise Refused(f"{', '.join(paths)}: no depth or trade frames")
        out.append(Material(VENUES[name], found, tuple(f"{name}={p}" for p in paths)))
    return out
