"""A dashboard: panels in lines, and the variables by which its reader chooses."""

from typing import Any, NamedTuple

from flows.dashboards.panel import CLICKHOUSE, HEIGHT, WIDTH, Panel
from flows.settings.tree import Windows

_PLACES = (f"SELECT venue, symbol FROM {table} WHERE window_ms = 60000" for table in ("features_tape", "features_book"))
TRADED = f"({' UNION DISTINCT '.join(_PLACES)})"
HELD = "risk_positions"


class Board(NamedTuple):
    """`variables`: by what the reader chooses, of VARIABLES; `places`: the rows whose venues and symbols there are."""

    name: str
    title: str
    variables: tuple[str, ...]
    panels: tuple[Panel, ...]
    places: str = TRADED

    def drawn(self) -> dict[str, Any]:
        """Its JSON: panels from left to right, as many in a line as there is room for."""
        panels, x, y = [], 0, 0
        for number, panel in enumerate(self.panels, 1):
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            panels.append(panel.drawn(number, x, y))
            x += panel.width
        return {
            "uid": f"alphaplus-{self.name}",
            "title": f"AlphaPlus {self.title}",
            "tags": ["alphaplus"],
            "schemaVersion": 42,
            "editable": False,
            "timezone": "utc",
            "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"},
            "graphTooltip": 1,
            "templating": {"list": [variable(name, self.places) for name in self.variables]},
            "panels": panels,
        }


def variable(name: str, places: str) -> dict[str, Any]:
    """What the reader of a dashboard chooses by; "All" are those that the query finds, and no others."""
    everything = {"multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}}
    if name in VARIABLES:
        return {
            "name": name,
            "type": "query",
            "datasource": CLICKHOUSE,
            "query": VARIABLES[name].format(places=places),
            "refresh": 2,
        } | everything
    if name == "side":
        return {"name": name, "type": "custom", "query": "both,long,short"} | everything
    lengths = [str(n) for n in Windows().lengths_ms()]
    minute = "60000"
    chosen = {"text": minute, "value": minute}
    return {"name": name, "type": "custom", "label": "window, ms", "query": ",".join(lengths), "current": chosen}


VARIABLES = {
    "venue": "SELECT DISTINCT venue FROM {places} ORDER BY venue",
    "symbol": "SELECT DISTINCT symbol FROM {places} WHERE venue IN (${{venue:singlequote}}) ORDER BY symbol",
    "asset": "SELECT DISTINCT asset FROM consolidated_bbo ORDER BY asset",
    "account": "SELECT DISTINCT account FROM risk_accounts ORDER BY account",
}
OF_MARKET = ("venue", "symbol", "window")
