"""Where a demo's frames come from: what is started, and under which names."""

from types import SimpleNamespace

import pytest

from flows.session.demo_market import LiveMarket, SimulatedMarket
from flows.settings.sources import load
from flows.settings.tree import SettingsError


class Started:
    def __init__(self):
        self.calls = []

    def start(self, name, module, *arguments, keep=True, vital=True):
        self.calls.append((name, module, arguments, keep))


def test_a_live_demo_starts_the_live_command_on_the_sessions_settings_and_no_simulator(tmp_path):
    market, started = LiveMarket(["deribit:BTC-PERPETUAL", "binance-usdm:BTCUSDT,ETHUSDT"]), Started()
    told = load(None, {})
    assert market.changed(told.market).venues == ("deribit", "binance-usdm")
    assert market.prepared(told, tmp_path) == told
    market.start(SimpleNamespace(supervisor=started, file=tmp_path / "settings.json"))
    ((name, module, arguments, keep),) = started.calls
    assert (name, module, keep) == ("live", "flows", True), "it is started again when it dies"
    assert arguments[:3] == ("live", "deribit:BTC-PERPETUAL", "binance-usdm:BTCUSDT,ETHUSDT")
    assert ("--settings", str(tmp_path / "settings.json")) == arguments[3:5]
    assert market.run == "live" != SimulatedMarket(1, 7, 0).run


@pytest.mark.parametrize("pair", ["kraken:XBT", "deribit", "deribit:"])
def test_what_is_no_venue_with_a_symbol_is_refused_before_anything_starts(pair):
    with pytest.raises(SettingsError, match="write VENUE:SYMBOL"):
        LiveMarket([pair])


def test_a_simulated_market_without_instruments_or_with_a_negative_past_is_refused():
    with pytest.raises(SettingsError, match="--instruments"):
        SimulatedMarket(0, 7, 0)
    with pytest.raises(SettingsError, match="--past"):
        SimulatedMarket(1, 7, -1)
