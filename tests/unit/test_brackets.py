"""Maintenance tiers: read as the venues write them, checked, or refused with the contract's name."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from flows import risk
from flows.settings.sources import load
from flows.settings.tree import SettingsError
from operators.portfolio.tiers import of_market
from schemas import brackets
from schemas.brackets import Tiers

SHARED = Path(__file__).parents[2].parent / "shared"
BINANCE = SHARED / "reference" / "binance_usdm_leverage_brackets_2026_09.json.gz"


def binance(*tiers: tuple[float, float, float, float]) -> bytes:
    rows = [
        {
            "bracket": i + 1,
            "initialLeverage": 20,
            "notionalFloor": f,
            "notionalCap": c,
            "maintMarginRatio": m,
            "cum": cum,
        }
        for i, (f, c, m, cum) in enumerate(tiers)
    ]
    return json.dumps([{"symbol": "BTCUSDT", "notionalCoef": 1.5, "brackets": rows}]).encode()


def bybit(*rows: dict[str, object]) -> bytes:
    return json.dumps({"retCode": 0, "result": {"category": "linear", "list": rows}}).encode()


def bybit_row(cap: str, mm: str, im: str, leverage: str, deduction: str) -> dict[str, object]:
    return {
        "id": 1,
        "symbol": "BTCUSDT",
        "riskLimitValue": cap,
        "maintenanceMargin": mm,
        "initialMargin": im,
        "isLowestRisk": 1,
        "maxLeverage": leverage,
        "mmDeduction": deduction,
    }


def test_the_third_tier_of_the_binance_document_deducts_1300_usdt():
    """[EXT✓] analytics §4.1: 250 000 (1 % - 0.5 %) + 50."""
    cum = brackets.deductions(np.array([0, 50_000, 250_000.0]), np.array([0.004, 0.005, 0.01]))
    assert cum[2] == pytest.approx(1300, abs=1e-9)


def test_the_coin_margined_tier_of_the_binance_document_deducts_1_81_btc():
    """[EXT✓] analytics §4.1: 50 (5 % - 2.5 %) + 0.56, the deduction of the tier before it."""
    cum = brackets.deductions(np.array([0, 5, 10, 20, 50.0]), np.array([0.004, 0.005, 0.01, 0.025, 0.05]))
    # 5*.001=.005; 10*.005+.005=.055; 20*.015+.055=.355; the document's .56 has other lower tiers, so only the step
    assert cum[4] - cum[3] == pytest.approx(1.25)
    assert 0.56 + (cum[4] - cum[3]) == pytest.approx(1.81)


def test_every_deduction_of_the_binance_file_of_2026_09_is_what_its_tiers_make():
    if not BINANCE.exists():
        pytest.skip(f"put Binance's leverage brackets of 2026-09 into {BINANCE}")
    tiers = brackets.binance(gzip.decompress(BINANCE.read_bytes()))
    assert len(tiers) == 907
    assert tiers["BTCUSDT"].cum[:3].tolist() == pytest.approx([0, 300, 1500])
    assert tiers["BTCUSDT"].max_leverage[0] == 150
    assert "BTCUSDT_260925" in tiers


def test_tiers_in_any_order_are_sorted():
    tiers = brackets.binance(binance((50_000, 250_000, 0.005, 50), (0, 50_000, 0.004, 0)))["BTCUSDT"]
    assert tiers.floor.tolist() == [0, 50_000]
    assert tiers.cum.tolist() == pytest.approx([0, 50])


@pytest.mark.parametrize("quote", ["USDT", "USDC"])
def test_tiers_by_unified_symbol_may_have_their_numbers_as_text(quote):
    """[EXT] freqtrade's public file of Binance's tiers, as its library keeps answers: the file was refused."""
    names = "bracket", "initialLeverage", "notionalCap", "notionalFloor", "maintMarginRatio", "cum"
    rows = ("1", "50", "5000", "0", "0.01", "0.0"), ("2", "25", "50000", "5000", "0.02", "50.0")
    file = {f"1000BONK/{quote}:{quote}": [{"tier": 1.0, "info": dict(zip(names, row, strict=True))} for row in rows]}
    tiers = brackets.binance(json.dumps(file).encode())[f"1000BONK{quote}"]
    assert (tiers.mmr.tolist(), tiers.cum.tolist(), tiers.max_leverage.tolist()) == ([0.01, 0.02], [0, 50], [50, 25])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[", "not a leverage bracket file of Binance"),
        (b'[{"symbol":"BTCUSDT","brackets":[]}]', "BTCUSDT has no tiers"),
        (binance((1, 2, 0.004, 0)), "BTCUSDT does not start at notional 0"),
        (binance((0, 50, 0.004, 0), (60, 90, 0.005, 0.06)), "BTCUSDT has a gap or an overlap"),
        (binance((0, 50, 0.004, 0), (50, 40, 0.005, 0.05)), "BTCUSDT has a tier that ends before it starts"),
        (binance((0, 50, 0.004, 0), (50, 90, 0.003, -0.05)), "BTCUSDT has a maintenance rate that falls with size"),
        (binance((0, 50, 1.5, 0)), "BTCUSDT has a maintenance rate outside (0, 1)"),
        (
            binance((0, 50_000, 0.004, 0), (50_000, 90_000, 0.005, 51)),
            "BTCUSDT tier 2: the deduction is given as 51, its tiers make 50",
        ),
    ],
)
def test_a_wrong_binance_file_is_refused_with_the_reason(data, reason):
    with pytest.raises(ValueError, match=r"BTCUSDT|Binance") as error:
        brackets.binance(data)
    assert reason in str(error.value)


@pytest.mark.parametrize("unit", [1, 100])
def test_bybit_rates_are_read_as_fractions_or_in_per_cent(unit):
    rows = [
        bybit_row("2000000", str(0.005 * unit), str(0.01 * unit), "100.00", ""),
        bybit_row("10000000", str(0.01 * unit), str(0.02 * unit), "50.00", "10000"),
    ]
    tiers = brackets.bybit(bybit(*reversed(rows)))["BTCUSDT"]
    assert tiers.mmr.tolist() == pytest.approx([0.005, 0.01])
    assert tiers.floor.tolist() == [0, 2_000_000]
    assert tiers.cum.tolist() == pytest.approx([0, 10_000])


def test_a_dated_contract_of_bybit_has_no_tiers_of_the_perpetual():
    """Of OKX's X-Perps a name without the date names the family; of Bybit's futures it names another contract."""
    of = {("bybit-linear", "BTCUSDT"): Tiers(*np.array([[0.0], [2e6], [0.005], [0.0], [100.0]]))}
    assert of_market(of, ("bybit-linear", "BTCUSDT")) is not None
    assert of_market(of, ("bybit-linear", "BTCUSDT-26DEC26")) is None


def test_a_bybit_deduction_that_its_tiers_do_not_make_is_refused():
    rows = [bybit_row("2", "0.005", "0.01", "100", ""), bybit_row("3", "0.01", "0.02", "50", "7")]
    with pytest.raises(ValueError, match="BTCUSDT tier 2: the deduction is given as 7"):
        brackets.bybit(bybit(*rows))


def test_a_bybit_rate_in_no_known_unit_is_refused():
    with pytest.raises(ValueError, match="BTCUSDT: initialMargin times maxLeverage is 7"):
        brackets.bybit(bybit(bybit_row("2", "0.5", "7", "1", "")))


def test_an_answer_of_binance_for_one_symbol_need_not_be_a_list():
    """As the documentation of `GET /fapi/v1/leverageBracket` shows it."""
    listed = binance((0, 50, 0.004, 0))
    assert brackets.binance(listed[1:-1])["BTCUSDT"].mmr.tolist() == brackets.binance(listed)["BTCUSDT"].mmr.tolist()


def test_an_error_of_bybit_is_no_file_without_tiers():
    error = b'{"retCode":10006,"retMsg":"Too many visits","result":{"list":[]}}'
    with pytest.raises(ValueError, match="not risk limits but an error of Bybit: 10006 Too many visits"):
        brackets.bybit(error)


@pytest.mark.parametrize("venue", ["binance-usdm", "bybit-linear", "okx-swap"])
def test_a_file_that_holds_no_tiers_is_refused(tmp_path, venue):
    """All liquidation prices of the venue were null, as if no file had been named."""
    empty = {"binance-usdm": "[]", "bybit-linear": '{"result":{"list":[]}}', "okx-swap": '{"code":"0","data":[]}'}
    (tmp_path / "brackets.json").write_text(empty[venue])
    with pytest.raises(SettingsError, match=r"risk.brackets_json: .*brackets.json: it holds no tiers"):
        risk.tiers(load(None, {}, [f"risk.brackets_json.{venue}={tmp_path / 'brackets.json'}"]))
