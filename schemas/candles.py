"""Candles: the price at the end of each hour, from files as venues give them.

Binance's public archive (`BTCUSDT-1h-2025-10.zip` or `.csv`, with or without a heading; mark price klines too) and the
answers of `GET /fapi/v1/klines`, Bybit's `/v5/market/kline` and OKX's `/api/v5/market/candles` all hold rows of time of
opening first and the close fifth. Times are milliseconds, or microseconds as in newer archives.
"""

import csv
import io
import zipfile

import msgspec
import numpy as np
from numpy.typing import NDArray

HOUR_MS = 3_600_000
OPENED, CLOSE = 0, 4
Hours = tuple[NDArray[np.int64], NDArray[np.float64]]


class _Listed(msgspec.Struct):
    list: list[list[str | float | int | None]]


class _Answer(msgspec.Struct):
    result: _Listed | None = None
    data: list[list[str | float | int | None]] | None = None


def hours(data: bytes, over: bool = False) -> Hours:
    """Hours since 1970, ascending, and the price at the end of each.

    The newest candle is left out, as an answer may hold one that is not over; unless all are known to be (`over`).
    ValueError says what is wrong.

    >>> hours(b"0,1,1,1,10.5\\n3600000,1,1,1,11\\n7200000,1,1,1,12")
    (array([0, 1]), array([10.5, 11. ]))
    >>> hours(b"0,1,1,1,10.5\\n3600000,1,1,1,11", over=True)
    (array([0, 1]), array([10.5, 11. ]))
    """
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = b"".join(archive.read(name) for name in archive.namelist())
    try:
        listed = _json(data) if data.lstrip()[:1] in (b"[", b"{") else csv.reader(io.StringIO(data.decode()))
        rows = [[str(cell) for cell in row] for row in listed if row and not str(row[0])[:1].isalpha()]
        opened = np.array([int(row[OPENED]) for row in rows], np.int64)
        close = np.array([float(row[CLOSE]) for row in rows], np.float64)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"not a file of candles: {error}") from None
    if len(opened) < 2:
        raise ValueError("fewer than two candles")
    order = np.argsort(opened, kind="stable")
    opened, close = opened[order], close[order]
    if opened[-1] > 10**14:
        opened //= 1_000
    steps = np.diff(opened)
    length = int(steps[steps > 0].min(initial=HOUR_MS + 1))
    if length > HOUR_MS or HOUR_MS % length:
        raise ValueError(f"candles of {length / 60_000:g} minutes, which do not make up hours")
    if not (np.isfinite(close) & (close > 0)).all():
        raise ValueError("a close that is not a positive price")
    ends, known = opened + length, len(opened) if over else len(opened) - 1
    whole = np.flatnonzero(ends[:known] % HOUR_MS == 0)
    return ends[whole] // HOUR_MS - 1, close[whole]


def _json(data: bytes) -> list[list[str | float | int | None]]:
    if data.lstrip()[:1] == b"[":
        return msgspec.json.decode(data, type=list[list[str | float | int | None]])
    answer = msgspec.json.decode(data, type=_Answer)
    return answer.result.list if answer.result is not None else answer.data or []


def merged(files: list[Hours]) -> Hours:
    """The hours of several files of one market, each once."""
    at = np.concatenate([hour for hour, _ in files])
    price = np.concatenate([p for _, p in files])
    hour, first = np.unique(at, return_index=True)
    return hour, price[first]
