"""Published: the files made from the declarations: this release's migration, JSON Schemas, the example of settings,
what a chart's values may be, the dashboards, the runbook's table of figures and the README's picture of the graph.

`python -m flows.published` writes them; a test compares them with what stands in the repository. Released migrations
are never touched: what they lack goes into one more, which is made anew, as a whole, each time until `--release` seals
it. So branches that both add columns meet in generated files only, and running the command again resolves that.
"""

import importlib.resources
import json
import sys
from pathlib import Path

import msgspec

from flows.clickhouse.errors import MigrationError
from flows.clickhouse.migrations import FOLDER, RELEASED, digest, migrations, released, statements
from flows.dashboards import boards
from flows.job_graph import mermaid
from flows.monitoring import telemetry
from flows.settings import example
from flows.settings.schema import referable, schema
from flows.tables import TABLES
from schemas.account_schema import account_schema
from schemas.json_schema import json_schema
from schemas.migration import Incompatible, Store, added_up, steps

EXAMPLE = Path(str(importlib.resources.files("deploy"))) / "settings" / "example.toml"
DASHBOARDS = Path(str(importlib.resources.files("deploy"))) / "grafana" / "dashboards"
README = Path(str(importlib.resources.files("deploy"))).parent / "README.md"
RUNBOOK = Path(str(importlib.resources.files("deploy"))) / "runbook.md"
VALUES = Path(str(importlib.resources.files("deploy"))) / "chart" / "values.schema.json"
DECIDED = ("data", "metrics_host", "metrics_port", "share", "probes.start_s", "forecast.models")
"""Settings that the chart decides."""
SCHEMAS = Path(str(importlib.resources.files("schemas"))) / "json"


def sealed() -> Store:
    """What the released migrations add up to."""
    final = released(FOLDER) or {}
    texts = [path.read_text() for path in migrations(FOLDER).values() if path.name in final]
    return added_up(statement for text in texts for statement in statements(text))


def unreleased() -> Path:
    """The file of the migration that is not released yet, whether there is one or not."""
    return FOLDER / f"{len(released(FOLDER) or {}) + 1:04d}_tables.sql"


def marked(path: Path, begins: str, ends: str, made: str) -> str:
    """The text of a file with what is made between its marks; ValueError where they are not."""
    before, begun, rest = path.read_text().partition(begins + "\n")
    _, ended, after = rest.partition(ends + "\n")
    if not begun or not ended:
        raise ValueError(f"{path}: no {begins} or no {ends}")
    return f"{before}{begins}\n{made}{ends}\n{after}"


def values() -> str:
    """The schema of the chart's values, with what the settings may be."""
    told = json.loads(VALUES.read_text())
    of, told["definitions"] = schema(DECIDED)
    about = "As in deploy/settings/example.toml. Secrets go by reference (secrets); nor is here what the chart decides."
    told["properties"]["settings"] = {"description": about, **of}
    told["properties"]["secrets"]["items"]["properties"]["setting"] = {"enum": referable()}
    return json.dumps(told, indent=1) + "\n"


def files() -> dict[Path, str]:
    """Path -> content of every generated file; no content where the file is not needed."""
    store = sealed()
    made = steps(store, TABLES)
    out = {unreleased(): ";\n\n".join(made) + ";\n" if made else ""}
    for table in TABLES:
        first = store.tables[table.name].first if table.name in store.tables else None
        text = msgspec.json.format(msgspec.json.encode(json_schema(table, first)), indent=2).decode() + "\n"
        out[SCHEMAS / f"{table.topic}.json"] = text
    out[EXAMPLE] = example.text()
    out[VALUES] = values()
    out |= {DASHBOARDS / name: text for name, text in boards.files().items()}
    out[RUNBOOK] = marked(RUNBOOK, telemetry.BEGINS, telemetry.ENDS, telemetry.table())
    out[README] = marked(README, "<!-- graph -->", "<!-- end of graph -->", f"```mermaid\n{mermaid()}\n```\n")
    text = msgspec.json.format(msgspec.json.encode(account_schema()), indent=2).decode() + "\n"
    out[SCHEMAS / "accounts.json"] = text
    return out


def write() -> None:
    """Write them all."""
    for path, text in files().items():
        if text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path)
        else:
            path.unlink(missing_ok=True)


def release() -> None:
    """Seal the migration that is not released yet: from now on it is never edited."""
    path = unreleased()
    if path.exists():
        with (FOLDER / RELEASED).open("a") as file:
            file.write(f"{digest(path)}  {path.name}\n")
        print(f"{path} is sealed")


def main(arguments: list[str]) -> int:
    """Write; with `--release` seal as well."""
    try:
        write()
        if "--release" in arguments:
            release()
    except (Incompatible, MigrationError) as error:
        print(f"published: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
