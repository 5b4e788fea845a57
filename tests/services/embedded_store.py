"""The embedded store: our own process that owns chDB and speaks ClickHouse's HTTP interface."""

import importlib.util
import json
import sys
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, version

from tests.services.backend import Store
from tests.services.process import ProcessBackend

MODULE = "deploy.local.store"

LABEL = f"embedded chDB {version('chdb')}"


class EmbeddedStore(ProcessBackend, Store):
    """Durable: chDB keeps its folder."""

    name = "embedded"
    durable = True

    @classmethod
    def missing(cls) -> str | None:
        if importlib.util.find_spec(MODULE) is None:
            return f"no module {MODULE}"
        try:
            version("chdb")
        except PackageNotFoundError:
            return "chdb is not installed"
        return None

    @property
    def label(self) -> str:
        return LABEL

    @property
    def password_file(self) -> str:
        return str(self.folder / "data" / "store.secret")

    def prepare(self) -> None:
        # a file of the process before says nothing about this one
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "data" / "store.json").unlink(missing_ok=True)

    def command(self) -> list[str]:
        return [sys.executable, "-m", MODULE, "--data", str(self.folder / "data"), "--port", str(self.port)]

    def answers(self) -> bool:
        said = self.folder / "data" / "store.json"
        if not said.exists():
            return False
        written = json.loads(said.read_bytes())
        if written["port"] != self.port:
            raise RuntimeError(f"the store was told port {self.port} and says {written['port']}")
        return http_answers(self.port)


def http_answers(port: int) -> bool:
    """Whether a ClickHouse answers `/ping` on a loopback port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False
