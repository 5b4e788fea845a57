"""Candles: the files of past hours that the settings name, by market."""

import re
from pathlib import Path

from flows.settings.tree import Settings, SettingsError
from schemas.candles import Hours, hours, merged
from schemas.venues.registry import VENUES

KINDS = (".csv", ".zip", ".json")
_ARCHIVED = re.compile(r".*-\d+[mhHM]-\d{4}-\d\d(-\d\d)?\.(csv|zip)")
"""A file of Binance's archive: of a day or month that was over before it was published, so all its candles are."""


def candles(settings: Settings) -> dict[tuple[str, str], Hours]:
    """Venue and symbol -> its hours, from `SYMBOL-....csv|zip|json` in the venue's folder (the symbol may hold dashes).

    A file's symbol is its name up to `-<digits><unit>`, as Binance's archive writes it (`BTCUSDT-1h-2025-10.zip`).
    """
    found: dict[tuple[str, str], list[Hours]] = {}
    for venue, name in settings.risk.candles.items():
        if venue not in VENUES:
            raise SettingsError(f"risk.candles: there is no venue {venue!r}; there are: {', '.join(VENUES)}")
        folder = Path(name)
        if not folder.is_dir():
            raise SettingsError(f"risk.candles: {folder}: there is no such folder")
        for file in sorted(p for p in folder.iterdir() if p.suffix in KINDS):
            try:
                found.setdefault((venue, symbol_of(file.stem)), []).append(
                    hours(file.read_bytes(), over_when_published(file.name))
                )
            except OSError as error:
                raise SettingsError(f"risk.candles: {file}: {error.strerror}") from None
            except ValueError as error:
                raise SettingsError(f"risk.candles: {file}: {error}") from None
    return {market: merged(files) for market, files in found.items()}


def over_when_published(name: str) -> bool:
    """Whether a file's name says that it is of the archive. Else its newest candle may not be over.

    >>> over_when_published("BTCUSDT-1h-2025-10-05.zip"), over_when_published("BTCUSDT-1h-2025-10.json")
    (True, False)
    """
    return _ARCHIVED.fullmatch(name) is not None


def symbol_of(stem: str) -> str:
    """The symbol that a file is named after.

    >>> symbol_of("BTCUSDT-1h-2025-10"), symbol_of("BTC-USDT-SWAP-1m"), symbol_of("BTC-USDT-SWAP"), symbol_of("XRPUSDT")
    ('BTCUSDT', 'BTC-USDT-SWAP', 'BTC-USDT-SWAP', 'XRPUSDT')
    """
    parts = stem.split("-")
    at = next((i for i, part in enumerate(parts) if i and part[:-1].isdigit() and part[-1:] in "mhHM"), len(parts))
    return "-".join(parts[:at])
