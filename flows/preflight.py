"""Preflight: what flows would refuse of the settings and the files they name, found before any process starts."""

from collections.abc import Callable, Iterable, Mapping

from flows import alerts, forecast, market, risk
from flows.settings import Settings

CHECKS: Mapping[str, Callable[[Settings], object]] = {
    "market": market.known_instruments,
    "risk": risk.terms,
    "forecast": forecast.how,
    "alerts": alerts.rules,
}


def check(settings: Settings, flows: Iterable[str] = CHECKS) -> Settings:
    """The settings, if each of the flows would start by them; SettingsError in one line if not."""
    for name in flows:
        if name in CHECKS:
            CHECKS[name](settings)
    return settings
