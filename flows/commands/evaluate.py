"""`alphaplus evaluate`: how good a version is on time that it has not seen, against baselines; it may have no skill."""

from typing import Annotated

import numpy as np
from cyclopts import Parameter

from flows.commands.options import AT_LEAST_ONE, Data, File, Sets, asked
from flows.commands.printer import Printer
from flows.commands.reach import store, with_broker
from flows.forecast import folder
from flows.learning.promotion import publish_scores


def evaluate(
    *,
    version: Annotated[str, Parameter(help="model version (default: the champion)")] = "",
    days: Annotated[int, Parameter(help="read the last so many days of vectors", validator=AT_LEAST_ONE)] = 60,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Score a version on vectors later than all it was made of, against the baselines of its own training."""
    from flows.clickhouse.client import connect  # noqa: PLC0415
    from flows.commands.scores import WIDTH, grid, verdict  # noqa: PLC0415
    from flows.learning import modelling  # noqa: PLC0415 - LightGBM and scikit-learn are imported by the commands that need them
    from flows.learning.vectors import read  # noqa: PLC0415
    from flows.refusal import Refused  # noqa: PLC0415
    from models import model_registry  # noqa: PLC0415
    from models.labels import STEP_NS  # noqa: PLC0415

    told = with_broker(asked(config, set, data))
    root = folder(told)
    try:
        chosen = version or model_registry.champion(root)
        if chosen is None:
            raise Refused(f"{root} has no champion: name a version, see `alphaplus models list`")
        of = model_registry.load(root, chosen)
    except ValueError as error:
        raise Refused(str(error)) from None
    with store(told) as reached:
        vectors = read(connect(reached.clickhouse), days)
    until_ns = of.metadata.trained_to_ms * 1_000_000
    say, shown = Printer(highlight=False, width=WIDTH), {}
    floor = of.metadata.parameters["floor_usd"]
    for card in of.metadata.models:
        try:
            cases = vectors.cases(*card.key, floor)
        except ValueError as error:
            raise Refused(f"nothing to evaluate on: {error}") from None
        test = np.flatnonzero(cases.at_ns > until_ns + card.horizon_min * STEP_NS)
        if not len(test):
            say.print(f"{card.position_side} {card.horizon_min} min: no labelled vectors after its training")
            continue
        shown[card.key] = modelling.scored_version(of, card, cases, test), cases.at_ns[test]
    if not shown:
        raise Refused(
            f"no vectors later than {chosen} was trained on: its data end {np.datetime64(until_ns, 'ns')} UTC"
        )
    say.print(grid({key: score for key, (score, _) in shown.items()}))
    say.print(f"{chosen}: {verdict({key: score for key, (score, _) in shown.items()})}")
    if told.kafka.brokers:
        publish_scores(told, chosen, shown)
    return 0
