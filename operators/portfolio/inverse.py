"""Liquidation price of inverse (coin-margined) one-way positions: one closed form per venue text, named by date.

`sign` +1 long, -1 short; `usd` contract value in USD, > 0; `entry` price; margins and deductions in coin; `mmr` and
`fee` fractions. All take arrays too. NaN where no positive price liquidates.
"""

import numpy as np

from operators.contract import Array

Numbers = float | Array


def _positive(numerator: Numbers, denominator: Numbers) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        price = np.asarray(np.asarray(numerator, np.float64) / denominator)
    return np.where((price > 0) & np.isfinite(price), price, np.nan)


def binance_coinm(sign: Numbers, usd: Numbers, entry: Numbers, wallet: Numbers, mmr: Numbers, cum: Numbers) -> Array:
    """`LP = C (mmr + s) / (WB + cum + s C / EP)`. Source: Binance FAQ b3c689c1.

    >>> float(binance_coinm(1, 10_000_000, 45_000, 101, 0.125, 11.81).round(9))
    33578.859744834
    """
    return _positive(np.asarray(usd) * (mmr + sign), wallet + cum + sign * np.asarray(usd) / entry)


def bybit_isolated_legacy(sign: Numbers, entry: Numbers, leverage: Numbers, mmr: Numbers) -> Array:
    """`EP l / (l (1 - s mmr) + s)`. Source: Bybit help centre, inverse contracts, the older form.

    >>> float(bybit_isolated_legacy(1, 2000, 10, 0.005).round(2))
    1826.48
    """
    return _positive(np.asarray(entry) * leverage, leverage * (1 - sign * np.asarray(mmr)) + sign)


def bybit_cross_bankruptcy(usd: Numbers, entry: Numbers, balance: Numbers, fee: Numbers) -> Array:
    """Of a long, its balance spent: `(1 + fee) Q / (Q / EP + AB)`. Source: help.bybit.com 360039261334.

    >>> float(bybit_cross_bankruptcy(10_000, 8000, 0.5, 0.00075).round(2))
    5718.57
    """
    return _positive((1 + np.asarray(fee)) * usd, np.asarray(usd) / entry + balance)


def bybit_cross_legacy(usd: Numbers, entry: Numbers, balance: Numbers, mmr: Numbers, fee: Numbers) -> Array:
    """Of a long: `Q / (Q / EP + AB - mmr Q / EP - fee Q / bankruptcy)`, before rounding to the tick.

    Source: help.bybit.com 360039261334.

    >>> float(bybit_cross_legacy(10_000, 8000, 0.5, 0.005, 0.00075).round(4))
    5739.0835
    """
    entered = np.asarray(usd) / entry
    closing = fee * np.asarray(usd) / bybit_cross_bankruptcy(usd, entry, balance, fee)
    return _positive(usd, entered + balance - mmr * entered - closing)


def bybit_isolated_v2024(
    sign: Numbers,
    usd: Numbers,
    entry: Numbers,
    leverage: Numbers,
    mmr: Numbers,
    cum: Numbers = 0.0,
    extra: Numbers = 0.0,
) -> Array:
    """`C / (C / EP + s (IM - MM + extra))`, both margins at entry. Source: Bybit help centre, text of 2024-09.

    >>> float(bybit_isolated_v2024(1, 60_000, 50_000, 10, 0.005).round(2))
    45662.1
    """
    entered = np.asarray(usd) / entry
    room = entered / leverage - (entered * mmr - cum) + extra
    return _positive(usd, entered + sign * room)


def bybit_isolated_v2026(
    sign: Numbers,
    usd: Numbers,
    entry: Numbers,
    leverage: Numbers,
    mmr: Numbers,
    cum: Numbers = 0.0,
    extra: Numbers = 0.0,
    fee: Numbers = 0.0,
) -> Array:
    """`S (1 + s mmr) / (S / EP + s (S / (EP l) + extra / (1 + s fee) + deduction))`, maintenance at the mark.

    Source: Bybit help centre, text of 2026-05-27.

    >>> float(bybit_isolated_v2026(1, 60_000, 50_000, 10, 0.005).round(2))
    45681.82
    """
    entered = np.asarray(usd) / entry
    put_aside = entered / leverage + extra / (1 + sign * np.asarray(fee)) + cum
    return _positive(np.asarray(usd) * (1 + sign * np.asarray(mmr)), entered + sign * put_aside)
