"""The entry point `alphaplus`: commands by name, and every expected failure as one line on standard error."""

import os
import sys

from cyclopts import App, CycloptsError

from flows import compiled
from flows.clickhouse.client import StoreError
from flows.clickhouse.migrations import MigrationError
from flows.refusal import Refused, Unreachable
from flows.settings import SettingsError

app = App(
    name="alphaplus", help="Stream processing for crypto derivatives: exact books, stamped features, risk, forecasts."
)
app.command("flows.commands.demo:demo")
app.command("flows.commands.replay:replay")
app.command("flows.commands.run:run")
app.command("flows.commands.query:query")
app.command("flows.commands.topics:topics")
app.command("flows.commands.migrate:migrate")
app.command("flows.commands.graph:graph")
app.command("flows.commands.metrics:metrics")
app.command("flows.commands.bench:bench")
app.command("flows.commands.train:train")
app.command("flows.commands.evaluate:evaluate")
app.command("flows.commands.models:models", name="models")


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code: 0 done, 1 failed, 2 wrong arguments or settings, 130 interrupted."""
    os.umask(0o077)  # whatever is written here is its owner's alone
    compiled.cache()
    try:
        code = app(
            sys.argv[1:] if arguments is None else arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        _fail(" ".join(str(error).split()) + " (see alphaplus --help)", 2)
    except SettingsError as error:
        _fail(str(error), 2)
    except Refused as error:
        _fail(str(error), 2)
    except (Unreachable, StoreError, MigrationError) as error:
        _fail(str(error), 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", 1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(line: str, code: int) -> None:
    print(f"alphaplus: {' '.join(line.splitlines())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
