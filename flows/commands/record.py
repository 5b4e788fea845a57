"""`alphaplus record`: the exchanges' public streams into capture files, for replays and for training."""

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from flows import market
from flows.commands.options import Data, File, Minutes, Sets, settings
from flows.monitoring.log_lines import speak


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
    speak("record", told.log.format)
    told = msgspec.structs.replace(told, market=told.market.only(by_venue))
    known = market.known_instruments(told)
    outlets = {name: Captures(to, name) for name in by_venue}
    receivers = [
        Receiver(FEEDS[name], VENUES[name], symbols, known.get(name, {}), told.live, outlets[name])
        for name, symbols in by_venue.items()
    ]
    try:
        run(receivers, 60 * minutes or None)
    finally:
        for name, outlet in outlets.items():
            for path in outlet.paths:
                print(f"{name}={path}")
    return 0
