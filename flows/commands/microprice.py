"""`alphaplus microprice`: the tables of the micro-price, fitted to the best quotes that flows left in ClickHouse."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import AT_LEAST_ONE, Data, File, Sets, asked
from flows.commands.printer import Printer
from flows.commands.reach import store
from flows.recovery.durable import settle


def microprice(
    *,
    days: Annotated[int, Parameter(help="fit to the last so many days of best quotes", validator=AT_LEAST_ONE)] = 1,
    to: Annotated[Path | None, Parameter(help="the file to write (default DATA/micro_price.json)")] = None,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Fit every instrument that has quotes enough, write one file of tables; `market.micro_price` names it to flows."""
    from flows.clickhouse.client import connect  # noqa: PLC0415 - only who asks the store needs its client
    from flows.learning import micro_prices  # noqa: PLC0415
    from flows.refusal import Refused  # noqa: PLC0415
    from models import micro_price_fit  # noqa: PLC0415

    told = asked(config, set, data)
    say = Printer(highlight=False)
    made = []
    with store(told) as reached:
        keyframe_ms = told.windows.keyframe_ms
        for who, found in micro_prices.fitted(connect(reached.clickhouse), days, keyframe_ms):
            if isinstance(found, str):
                say.print(f"{who}: no table: {found}")
            else:
                made.append(found)
                one = ", ".join("-" if g is None else f"{g:.3g}" for g in found.adjustment_ticks[0])
                say.print(f"{who}: {found.steps:,} steps; at a spread of one tick of {found.tick:g}, ticks: {one}")
    if not made:
        raise Refused("features_book says too little to fit a micro-price to: run `replay` or the market flow first")
    file = to or Path(told.data) / "micro_price.json"
    beside = file.with_name(file.name + ".new")
    beside.write_bytes(micro_price_fit.encode(made))
    settle(beside)
    os.replace(beside, file)
    settle(file.parent)
    say.print(f"saved {len(made)} in {file}; use it with market.micro_price={file}")
    return 0
