"""A panel and what it asks, as the JSON that Grafana provisions."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from flows.monitoring.telemetry import Figure
from schemas.table import Table, describe

CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "clickhouse"}
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
PLUGIN = "4.20.0"
WIDTH, HEIGHT = 24, 8
Kind = Literal["timeseries", "table", "stat", "barchart", "heatmap"]
TIMED = ("timeseries", "heatmap")
FILTERS = {"venue": "venue", "symbol": "symbol", "asset": "asset", "account": "account", "position_side": "side"}
"""Columns that variables of the dashboards choose by."""
UNITS = {
    "USD": "currencyUSD",
    "bps": "suffix: bps",
    "bps of mark": "suffix: bps",
    "ms": "ms",
    "share of equity": "percentunit",
    "seconds": "s",
    "s": "s",
    "bytes": "bytes",
}
"""Of declarations -> of Grafana; what is not here is a bare number."""
OPTIONS: dict[Kind, dict[str, Any]] = {
    "heatmap": {
        "calculate": False,
        "cellGap": 0,
        "color": {"mode": "opacity", "fill": "dark-orange", "scale": "exponential", "exponent": 0.5},
        "rowsFrame": {"layout": "ge", "value": "notional"},
    },
}
"""What a kind of panel is drawn with; the others are as Grafana has them."""


class Sql(NamedTuple):
    """A question to ClickHouse."""

    text: str

    def target(self, ref: str, kind: Kind) -> dict[str, Any]:
        """As the official data source wants it."""
        graph = kind in TIMED
        return {
            "refId": ref,
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "rawSql": self.text,
            "queryType": "timeseries" if graph else "table",
            "format": 0 if graph else 1,
            "pluginVersion": PLUGIN,
        }


class Prom(NamedTuple):
    """A question to Prometheus."""

    expr: str
    legend: str

    def target(self, ref: str, kind: Kind) -> dict[str, Any]:
        """As Grafana wants it."""
        asked = {"refId": ref, "datasource": PROMETHEUS, "expr": self.expr, "legendFormat": self.legend}
        return asked | ({"range": True} if kind in TIMED else {"instant": True})


class Panel(NamedTuple):
    """`steps`: above which value which colour; without any the lines have colours of their own."""

    title: str
    kind: Kind
    asks: tuple[Sql | Prom, ...]
    tooltip: str
    unit: str = "none"
    steps: tuple[tuple[float, str], ...] = ()
    width: int = 12

    def drawn(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Its JSON."""
        defaults: dict[str, Any] = {"unit": self.unit}
        lines: dict[str, Any] = {}
        if self.kind == "timeseries" and isinstance(self.asks[0], Sql):
            # A row holds until the next one, which may be a minute away: nothing rose or fell meanwhile.
            lines["lineInterpolation"] = "stepAfter"
        if self.steps:
            marks = [{"color": "green", "value": None}, *({"color": c, "value": v} for v, c in self.steps)]
            defaults["thresholds"] = {"mode": "absolute", "steps": marks}
            if self.kind == "timeseries":
                lines["thresholdsStyle"] = {"mode": "line"}
            else:
                defaults["color"] = {"mode": "thresholds"}
        if lines:
            defaults["custom"] = lines
        return {
            "id": number,
            "title": self.title,
            "description": self.tooltip,
            "type": self.kind,
            "datasource": CLICKHOUSE if isinstance(self.asks[0], Sql) else PROMETHEUS,
            "gridPos": {"h": HEIGHT, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": OPTIONS.get(self.kind, {}),
            "targets": [ask.target("ABCDEFGH"[i], self.kind) for i, ask in enumerate(self.asks)],
        }


def chosen(table: Table) -> list[str]:
    """What the variables of a dashboard choose of a table, as conditions."""
    found = [f"{c} IN (${{{v}:singlequote}})" for c, v in FILTERS.items() if c in {x.name for x in table.columns}]
    return [*found, *(["window_ms = ${window}"] if any(c.name == "window_ms" for c in table.columns) else [])]


def tooltip(table: Table, columns: Iterable[str]) -> str:
    """What the declarations say of columns; KeyError names one that is not declared."""
    return "\n\n".join(f"{name}: {describe(table.column(name))}" for name in columns)


def _unit(table: Table, columns: Sequence[str]) -> str:
    units = {table.column(name).unit for name in columns}
    return UNITS.get(units.pop(), "none") if len(units) == 1 else "none"


def over_time(
    title: str, table: Table, columns: Sequence[str], steps: tuple[tuple[float, str], ...] = (), width: int = 12
) -> Panel:
    """Columns over their time, a line for each of what the table's key tells apart.

    Grafana tells lines apart by text alone; a number would be a line of its own, and those that it names one.
    """
    by = [
        name if table.column(name).dtype == "str" else f"toString({name}) AS {name}"
        for name in table.key
        if name not in (table.time, "window_ms", "nth")
    ]
    conditions = " AND ".join([f"$__timeFilter_ms({table.time})", *chosen(table)])
    select = ", ".join([f"{table.time} AS time", *by, *columns])
    text = f"SELECT {select} FROM {table.name} FINAL WHERE {conditions} ORDER BY time"
    return Panel(title, "timeseries", (Sql(text),), tooltip(table, columns), _unit(table, columns), steps, width)


def beside(title: str, *panels: Panel) -> Panel:
    """The lines of several panels in one."""
    asks = tuple(ask for panel in panels for ask in panel.asks)
    units = {panel.unit for panel in panels}
    told = "\n\n".join(panel.tooltip for panel in panels)
    return Panel(title, panels[0].kind, asks, told, units.pop() if len(units) == 1 else "none")


def of_first(table: Table) -> str:
    """What the variables choose of a table, but of the first instrument alone, where several would be mixed."""
    conditions = " AND ".join([f"$__timeFilter_ms({table.time})", *chosen(table)])
    first = f"SELECT venue, symbol FROM {table.name} WHERE {conditions} ORDER BY venue, symbol LIMIT 1"
    return f"{conditions} AND (venue, symbol) IN ({first})"


def curve(
    title: str, table: Table, along: str, points: Mapping[str, Sequence[str]], weights: Sequence[str] = ()
) -> Panel:
    """Bars along `along`: what columns of the first instrument chosen were on average of the windows shown.

    `points`: of each bar its label, and the columns, which are a colour each and named by what they share. `weights`:
    of each colour how much a window counts, which else count alike. A window that is like the one before has no row of
    its own, so they are those of the dense view.
    """
    first = next(iter(points))
    names = [column.removesuffix("_bps").replace(f"_{first}", "") for column in points[first]]
    drawn = ", ".join(f"tupleElement(point, {n}) AS {name}" for n, name in enumerate(names, 2))
    mean = "avgWeighted({}, {})" if weights else "avg({})"
    means = {
        label: [mean.format(column, weight) for column, weight in zip_longest(of, weights)]
        for label, of in points.items()
    }
    tuples = ", ".join(f"tuple('{label}', {', '.join(of)})" for label, of in means.items())
    text = (
        f"SELECT tupleElement(point, 1) AS {along}, {drawn}"
        f" FROM (SELECT [{tuples}] AS points FROM {table.name}_dense WHERE {of_first(table)})"
        " ARRAY JOIN points AS point"
    )
    columns = [column for of in points.values() for column in of]
    told = f"of the first instrument chosen\n\n{tooltip(table, columns)}"
    return Panel(title, "barchart", (Sql(text),), told, _unit(table, columns))


def newest(
    title: str, table: Table, columns: Sequence[str], by: Sequence[str] = (), flag: str = "", *, ever: bool = False
) -> Panel:
    """The newest rows as a list: of each of `by` the last one where it has the `flag`, or the last hundred of all.

    `ever`: whatever time the dashboard shows.
    """
    time = table.time or "ingested_at"
    conditions = [*([] if ever else [f"$__timeFilter_ms({time})"]), *chosen(table)]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    select = ", ".join(dict.fromkeys([time, *by, *columns]))
    text = f"SELECT {select} FROM {table.name} FINAL{where} ORDER BY {time} DESC"
    if by:
        last = f"{text} LIMIT 1 BY {', '.join(by)}".replace(" FROM", f", {flag} FROM" if flag else " FROM", 1)
        text = f"SELECT {select} FROM ({last}){f' WHERE {flag}' if flag else ''} ORDER BY {', '.join(by)}"
    else:
        text += " LIMIT 100"
    return Panel(title, "table", (Sql(text),), tooltip(table, columns), width=WIDTH)


def figures(
    title: str,
    asked: Sequence[tuple[Figure, str, str]],
    unit: str = "none",
    steps: tuple[tuple[float, str], ...] = (),
    width: int = 12,
) -> Panel:
    """Figures of Prometheus: of each the question, in which `{}` is its name, and the legend."""
    asks = tuple(Prom(expr.replace("{}", figure.series[0]), legend) for figure, expr, legend in asked)
    told = "\n\n".join(f"{figure.name}: {figure.meaning}" for figure, _, _ in asked)
    return Panel(title, "timeseries", asks, told, unit, steps, width)
