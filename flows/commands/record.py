"""`alphaplus record`: the exchanges' public streams into capture files, for replays and for training."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from flows import market
from flows.commands.options import Data, File, Minutes, Sets, settings
from flows.monitoring.log_lines import speak
from flows.monitoring.wall_clock import CLOCK
from flows.refusal import Refused, Unreachable


def record(
    *instrument: Annotated[str, Parameter(help="VENUE:SYMBOL[,SYMBOL...], as often as needed")],
    to: Annotated[Path, Parameter(help="folder for the captures, a file an instrument")] = Path("captures"),
    minutes: Minutes = 0.0,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Record instruments as `alphaplus replay` reads them; prints the files."""
    from flows.live.feeds_by_venue import FEEDS  # noqa: PLC0415
    from flows.live.outlet import Captures  # noqa: PLC0415 - the websocket library is imported by those who listen
    from flows.live.receiver import Receiver  # noqa: PLC0415
    from flows.live.receivers import refuse_unknown, run, wanted  # noqa: PLC0415
    from schemas.venues.registry import VENUES  # noqa: PLC0415

    by_venue = wanted(instrument)
    told = settings(config, set, data)
    refuse_unknown(told.live)
    _refuse_no_folder(to)
    speak("record", told.log.format)
    told = msgspec.structs.replace(told, market=told.market.only(by_venue))
    known = market.known_instruments(told)
    outlets = {name: Captures(to, name) for name in by_venue}
    receivers = [
        Receiver(FEEDS[name], VENUES[name], symbols, known.get(name, {}), told.live, outlets[name])
        for name, symbols in by_venue.items()
    ]
    try:
        run(receivers, 60 * minutes or None, CLOCK, goes_on=True)
    finally:
        for name, outlet in outlets.items():
            for path in outlet.paths:
                print(f"{name}={path}")
    if not any(outlet.paths for outlet in outlets.values()):
        raise Unreachable(f"nothing was received of {', '.join(instrument)}, and nothing recorded")
    return 0


def _refuse_no_folder(to: Path) -> None:
    """Refused where no capture could be written: said before anything is received, which may take hours to come."""
    there = next(path for path in (to, *to.absolute().parents) if path.exists())
    if not there.is_dir():
        raise Refused(f"--to {to}: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Refused(f"--to {to}: {there} cannot be written")
