"""A Prometheus of Debian's package, with the rules of the repository, told what to scrape while it runs."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from flows.session.free_ports import free_port
from tests.services.flow_processes import wait_until

ROOT = Path(__file__).parents[2]
SCRAPE_S = 1


def ports_below(folder: Path) -> list[int]:
    """The metrics ports of the flows that run with `folder` among their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(str(folder) in argument for argument in arguments):
            found += [int(a.partition("=")[2]) for a in arguments if a.startswith("metrics_port=")]
    return sorted(found)


class LastSaid(ThreadingHTTPServer):
    """What processes said last of themselves, told on under `/PORT` when they are gone.

    Prometheus takes up to five seconds to look at a target that it is told of; a flow of a short walk may be over by then.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Telling)
        self.of: dict[int, bytes] = {}

    def ask(self, ports: list[int]) -> None:
        """Take down what they say now."""
        for port in ports:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
                    self.of[port] = answer.read()
            except (urllib.error.URLError, OSError):
                continue  # not yet, or no longer


class _Telling(BaseHTTPRequestHandler):
    server: LastSaid

    def do_GET(self) -> None:
        body = self.server.of[int(self.path[1:])]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Prometheus:
    """Started with `with`; keeps what it scraped until the end."""

    @staticmethod
    def binary() -> str | None:
        """Where it is, if anywhere."""
        return shutil.which("prometheus")

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.port, self.began_s = folder, free_port(), time.time()
        (folder / "alerts.yaml").write_bytes((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_bytes())
        told = {
            "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [
                {
                    "job_name": "alphaplus",
                    "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
                }
            ],
        }
        (folder / "prometheus.yaml").write_text(json.dumps(told))
        self._targets: list[int] = []
        (folder / "targets.json").write_text("[]")

    def __enter__(self) -> "Prometheus":
        command = [
            str(self.binary()),
            f"--config.file={self.folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        wait_until(self._ready, 60)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _ready(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2_000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def targets(self, said: "LastSaid") -> None:
        """Scrape what is kept there from now on."""
        file = self.folder / "targets.json"
        ports = sorted(said.of)
        if ports != self._targets or not file.exists():
            self._targets = ports
            partial = file.with_suffix(".partial")
            at = [f"127.0.0.1:{said.server_port}"]
            labels = [{"__metrics_path__": f"/{port}", "instance": f"127.0.0.1:{port}"} for port in ports]
            partial.write_text(json.dumps([{"targets": at, "labels": of} for of in labels]))
            partial.replace(file)

    def scraped_all(self) -> bool:
        """Whether each of the targets has been scraped."""
        return all(self.ever(f'up{{instance="127.0.0.1:{port}"}} == 1') for port in self._targets)

    def ever(self, expr: str) -> bool:
        """Whether an expression had an answer at any second of the run; an error fails."""
        asked = {"query": expr, "start": self.began_s, "end": time.time(), "step": 1}
        return bool(self._get("query_range", asked)["result"])

    def rules(self) -> list[dict]:
        """The rules as it has evaluated them."""
        return [rule for group in self._get("rules", {})["groups"] for rule in group["rules"]]

    def _get(self, what: str, asked: dict) -> dict:
        address = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            told = json.loads(answer.read())
        assert told["status"] == "success", told
        return told["data"]
