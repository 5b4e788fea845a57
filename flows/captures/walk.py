"""The recording of the walk (`deploy/walk`): three minutes of a simulated market, an account, its brackets.

`python -m flows.captures.walk` writes the files; a test compares them with what stands in the repository.
"""

import gzip
import importlib.resources
import io
import sys
from pathlib import Path

import msgspec

from models.simulator import Settings, brackets, coarse, market

FOLDER = Path(str(importlib.resources.files("deploy"))) / "walk"
MARKET = coarse(Settings(seed=5, symbols=("BTCUSDT",), seconds=180, accounts=0, traders=300))
SECOND_NS = 1_000_000_000
DEPOSIT_S = 120
"""When the account gets more collateral, which ends its alert."""


def frames() -> bytes:
    """The capture: `<receive time, ns> <JSON>` a line, gzip."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for frame in market(MARKET):
            file.write(b"%d %s\n" % (frame.received_ns, frame.data))
    return out.getvalue()


def accounts() -> bytes:
    """An account that is long with much leverage, and gets collateral later."""
    position = {"venue": "binance-usdm", "symbol": "BTCUSDT", "qty_base": 1.0, "entry_price": 60_080.0}
    position |= {"leverage": 50, "margin_mode": "cross"}
    lines = []
    for second, wallet in ((1, 1_600.0), (DEPOSIT_S, 6_000.0)):
        at_ns = MARKET.start_ns + second * SECOND_NS
        record = {"account": "walk", "as_of": at_ns // 1_000_000, "balances": [{"asset": "USDT", "wallet": wallet}]}
        lines.append(b"%d %s\n" % (at_ns, msgspec.json.encode(record | {"positions": [position]})))
    return b"".join(lines)


def files() -> dict[Path, bytes]:
    """Path -> content."""
    return {
        FOLDER / "frames.log.gz": frames(),
        FOLDER / "accounts.log": accounts(),
        FOLDER / "brackets.json": msgspec.json.format(msgspec.json.encode(brackets(MARKET)), indent=1) + b"\n",
    }


def main() -> int:
    """Write them."""
    for path, content in files().items():
        path.write_bytes(content)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
