"""The embedded store as others see it: where one runs on a data folder, whose rows are in it, who may ask it.

Beside `session`, which starts it: a command that only asks loads no flow.
"""

import json
import os
import socket
from pathlib import Path

import msgspec

from flows.refusal import Refused
from flows.settings.secret import Secret
from flows.settings.services import Clickhouse
from flows.settings.tree import Settings


def running_store(data: Path) -> str | None:
    """The URL of the embedded store that has `data` open, None when there is none."""
    try:
        told = json.loads((data / "store.json").read_bytes())
        os.kill(int(told["pid"]), 0)
        with socket.create_connection(("127.0.0.1", int(told["port"])), timeout=1):
            return f"http://127.0.0.1:{told['port']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def refuse_in_use(told: Settings) -> None:
    """Refused while another session has the embedded store of these settings open."""
    if not told.clickhouse.url and running_store(Path(told.data)):
        raise Refused(f"{told.data} is in use: another demo or replay writes there; name another folder with --data")


def runs(data: Path) -> list[Path]:
    """The settings of the demos and replays of a data folder, the newest first."""
    found = [file for kind in ("demo", "replay") for file in (data / "runs").glob(f"{kind}-*/settings.json")]
    return sorted(found, key=lambda file: file.stat().st_mtime_ns, reverse=True)


def newest_database(data: Path) -> str:
    """The database that the newest demo or replay of a data folder wrote into, "" when there was none."""
    for file in runs(data):
        try:
            return str(json.loads(file.read_bytes())["clickhouse"]["database"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""


def asking(told: Clickhouse, url: str, data: Path, *, reads: bool = False) -> Clickhouse:
    """The settings with which the embedded store at `url` is asked; one who only `reads` has a secret of his own."""
    user, file = ("reader", "store.reader") if reads else ("default", "store.secret")
    path = data.resolve() / file
    try:
        secret = Secret(path.read_text().strip())
    except OSError as error:
        raise Refused(f"the store's secret {path}: {error.strerror}") from None
    return msgspec.structs.replace(told, url=url, user=user, password=secret, password_file=str(path))
