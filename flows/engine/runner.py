"""Running one flow in this process: recovery, epochs, a graceful end, and one clear line when it fails."""

import gc
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

from flows.clickhouse.errors import StoreError
from flows.engine import allocator
from flows.engine.signals import stoppable
from flows.kafka.epochs import Stopping
from flows.monitoring.log_lines import LOG
from flows.printable import printable
from flows.recovery.directory import Identity, Recovery
from flows.refusal import Refused, Unreachable
from operators.evolving import Part

DONE, FAILED, REFUSED = 0, 1, 2
YOUNG = 50_000
"""Objects made and not yet dropped before the collector looks for cycles: more than the messages of a fetch, which it
would else look through thirty times while they come."""
CRASHES_BYTES = 1 << 20
"""A longer `crash.log` becomes `crash.log.1` at the next start, in the place of the one before."""


def run(
    dataflow: Dataflow,
    recovery: Recovery,
    identity: Identity,
    stopping: Stopping,
    epoch_interval_ms: int = 1_000,
    parts: Iterable[Part] = (),
) -> int:
    """Run until the input ends, SIGTERM or SIGINT asks to stop, or it fails; the exit code, its reason on stderr.

    0: the input ended or the stop was granted, everything handed over is committed. 2: refused, a restart would be too.
    1: anything else, a stop that was not granted within seconds among it; a restart goes on from the last committed
    epoch. The engine's panic and the whole trace are in `crash.log` of the recovery directory, behind those before it.
    """
    log = recovery.directory / "crash.log"
    try:
        with stoppable(dataflow.flow_id, stopping):
            config = recovery.bind(dataflow, identity, parts)
            if recovery.evolved:
                LOG.warning("%s: recovered state: %s", dataflow.flow_id, recovery.evolved)
            # what is loaded now stays: the collector need not look through it again and again
            gc.freeze()
            gc.set_threshold(YOUNG)
            allocator.keep()
            with _panics_into(log):
                run_main(dataflow, epoch_interval=timedelta(milliseconds=epoch_interval_ms), recovery_config=config)  # type: ignore[no-untyped-call]
    except BaseException as error:
        cause = root(error)
        kind = "" if isinstance(cause, Refused | Unreachable | StoreError) else f"{type(cause).__name__}: "
        try:
            with log.open("a") as file:
                file.write(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))
                file.write(printable("".join(traceback.format_exception(error)), keep="\n"))
        except OSError as unwritten:
            LOG.error("%s: %s not written: %s", dataflow.flow_id, log, unwritten.strerror)
        LOG.error("%s", f"{dataflow.flow_id}: {kind}{cause}".splitlines()[0])  # the last line: others tell it on
        return REFUSED if isinstance(cause, Refused) else FAILED
    return DONE


def root(error: BaseException) -> BaseException:
    """What was raised first, or a refusal on the way to it: the engine wraps errors, once a layer."""
    while not isinstance(error, Refused | Unreachable):
        inner = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if inner is None:
            break
        error = inner
    return error


@contextmanager
def _panics_into(log: Path) -> Iterator[None]:
    """What compiled code writes to file descriptor 2 goes behind what `log` has; Python's own stderr stays as it is."""
    sys.stderr.flush()
    visible = os.dup(2)
    python_stderr = sys.stderr
    if log.exists() and log.stat().st_size > CRASHES_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 2)
    os.close(target)
    sys.stderr = os.fdopen(os.dup(visible), "w", buffering=1)
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = python_stderr
        os.dup2(visible, 2)
        os.close(visible)
