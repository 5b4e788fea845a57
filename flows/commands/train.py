"""`alphaplus train`: a model version of what flows left in ClickHouse, scored on its own held-out time."""

from typing import Annotated

import numpy as np
from cyclopts import Parameter

from flows.commands.options import AT_LEAST_ONE, Data, File, Sets, asked
from flows.commands.printer import Printer
from flows.commands.reach import store, with_broker
from flows.forecast import folder
from flows.learning.promotion import publish_scores, put_in_force
from flows.recovery.durable import settle


def train(
    *,
    days: Annotated[int, Parameter(help="train on the last so many days of vectors", validator=AT_LEAST_ONE)] = 60,
    quick: Annotated[bool, Parameter(help="few trees, as the demo does", negative=())] = False,
    promote: Annotated[bool, Parameter(help="put the version in force at once", negative=())] = False,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Train every side and horizon, calibrate on later time, score on the time after that, save a version."""
    from flows.clickhouse.client import connect  # noqa: PLC0415
    from flows.commands.scores import WIDTH, grid  # noqa: PLC0415
    from flows.learning import modelling  # noqa: PLC0415 - LightGBM and scikit-learn are imported by the commands that train only
    from flows.learning.vectors import read  # noqa: PLC0415
    from flows.refusal import Refused  # noqa: PLC0415
    from models import model_registry  # noqa: PLC0415

    told = with_broker(asked(config, set, data))
    say = Printer(highlight=False, width=WIDTH)
    with store(told) as reached:
        vectors = read(connect(reached.clickhouse), days)
    hours = (vectors.at_ns.max() - vectors.at_ns.min()) / 3.6e12
    say.print(f"{len(vectors.at_ns):,} vectors of {len(np.unique(vectors.instrument))} instruments over {hours:,.1f} h")
    by = modelling.QUICK if quick else modelling.PARAMETERS
    made, shown = {}, {}
    say.print(modelling.needs(by))
    say.print(modelling.FIRST)
    try:
        for key, trained, cases, test in modelling.fit(vectors, told.forecast, by):
            if isinstance(trained, str):
                say.print(f"{key[0]} {key[1]} min: no model of {modelling.there(cases)}: {trained}")
            elif not len(test):
                say.print(f"{key[0]} {key[1]} min: no model of {modelling.there(cases)}: nothing is left to test it on")
            else:
                made[key] = trained, modelling.scored(trained, cases, test)
                shown[key] = made[key][1], cases.at_ns[test]
    except ValueError as error:
        raise Refused(f"too little to train on: {error}") from None
    if not made:
        raise Refused("too little to train on: no side and horizon has what is needed")
    root = folder(told)
    version = modelling.save(root, made, vectors, told.forecast, by)
    say.print(grid({key: score for key, (score, _) in shown.items()}))
    say.print(f"saved {version} in {root}")
    if told.kafka.brokers:
        publish_scores(told, version, shown)
    if promote:
        if told.kafka.brokers:
            since_ms = put_in_force(told, model_registry.load(root, version))
            say.print(f"{version} is in force from {np.datetime64(since_ms, 'ms')} UTC")
        model_registry.promote(root, version, settle)
    return 0
