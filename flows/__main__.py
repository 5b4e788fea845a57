"""The entry point `alphaplus`: commands by name, and every expected failure as one line on standard error."""

import os
import sys

try:
    from cyclopts import App, CycloptsError, UnknownCommandError

    from flows.clickhouse.errors import MigrationError, StoreError
    from flows.engine import compiled
    from flows.monitoring.log_lines import fail
    from flows.refusal import Refused, Unreachable
    from flows.settings.tree import SettingsError
except KeyboardInterrupt:  # who changes their mind while all this is loaded needs no traceback
    sys.exit(130)

SHOWN = 80
"""So many characters of what is refused."""
app = App(
    name="alphaplus", help="Stream processing for crypto derivatives: exact books, stamped features, risk, forecasts."
)
COMMANDS = {
    "demo": "Everything on this machine, on a simulated market, in the terminal.",
    "replay": "Recorded frames through every flow; counts and digests of the rows.",
    "sanity": "What captures come to, column by column: quantiles, nulls, values out of bounds.",
    "convert": "Recordings of cryptofeed or Tardis as a capture for replay.",
    "verify": "Recorded topics of a run once more through every flow; are the rows equal?",
    "diff": "Are the stored rows of two runs or deployments the same? By table, keys and columns.",
    "live": "Receive instruments from their exchanges into the raw topics.",
    "record": "Receive instruments from their exchanges into capture files.",
    "run": "Flows in production, on the configured brokers and ClickHouse.",
    "lag": "How far each flow is behind in each log, in messages and in event time.",
    "rejects": "What flows could not use, why and where; hand in again what can be used now.",
    "rescale": "Deal a stopped flow's states out to another number of processes.",
    "savepoint": "Stop a flow and copy its recovery directories, described and checked.",
    "restore": "Put a savepoint back, if it fits.",
    "query": "One SQL statement on the rows; works while flows write.",
    "topics": "Create the topics that the settings call for.",
    "migrate": "Apply new migrations to the configured ClickHouse.",
    "graph": "Print the job graph: what each flow reads and writes.",
    "metrics": "Print what every published number is, and when it is null.",
    "train": "Train a model version on what replays and runs left.",
    "microprice": "Fit the micro-price's tables to the best quotes that replays and runs left.",
    "evaluate": "Score a model version on time that it has not seen.",
    "models": "List, show, promote and roll back model versions.",
    "bench": "Run the benchmarks; medians and ratios beside their targets.",
}
"""What each command does, in one line: modules are imported only by the command that is run."""
for _name, _help in COMMANDS.items():
    app.command(f"flows.commands.{_name}:{_name}", name=_name, help=_help, sort_key=list(COMMANDS).index(_name))


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code: 0 done, 1 failed, 2 wrong arguments or settings, 130 interrupted,
    141 nobody reads its output any more.
    """
    os.umask(0o077)  # whatever is written here is its owner's alone
    _hold_streams()
    try:
        os.getcwd()
    except OSError:
        _fail("the folder in which this was started is gone: change to one that is there", 2)
    compiled.cache()
    try:
        code = app(
            sys.argv[1:] if arguments is None else arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except CycloptsError as error:
        _fail(_refusal(error) + " (see alphaplus --help)", 2)
    except BrokenPipeError:
        # whoever read the output has read enough, as `head` does; what is still in the buffer goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except SettingsError as error:
        _fail(str(error), 2)
    except Refused as error:
        _fail(str(error), 2)
    except (Unreachable, StoreError, MigrationError) as error:
        _fail(str(error), 1)
    except UnicodeEncodeError as error:  # bytes of an argument: files may be called so, nothing else may
        _fail(f"{error.object[:SHOWN]!r} is not text, in UTF-8", 2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", 1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _hold_streams() -> None:
    """A standard stream that is closed leads nowhere: else the next file that is opened would get what is said."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            os.set_inheritable(number, True)
            if nowhere != number:
                os.close(nowhere)
            setattr(sys, name, open(number, mode))  # noqa: SIM115


def _refusal(error: CycloptsError) -> str:
    """What is wrong with the arguments, in one line; an option before the command is told where it goes."""
    option = (error.unused_tokens or [""])[0]
    if isinstance(error, UnknownCommandError) and option.startswith("-"):
        command = " ".join(["alphaplus", *(error.command_chain or ()), "COMMAND"])
        return f"options stand behind the command: {command} {option} ..."
    return " ".join(str(error).split())


def _fail(line: str, code: int) -> None:
    fail(line)
    sys.exit(code)


if __name__ == "__main__":
    main()
