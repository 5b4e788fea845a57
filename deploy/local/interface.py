"""The part of ClickHouse's HTTP interface that clients use, on loopback, over one engine.

Taken: GET and POST, `query`, `database`, `default_format`, `param_*` and settings as URL parameters or form fields,
chunked and compressed bodies, `/ping`. Answers are not compressed. A `session_id` is accepted and keeps nothing.
Users and passwords are not looked at: only this machine reaches the port, and a page in a browser is refused by
the names in `Host` and `Origin`.
"""

import json
import re
import socketserver
import sys
import uuid
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from deploy.local.body import fields, read_body
from deploy.local.engine import Answer, Engine, Refusal
from deploy.local.process import LOOPBACK

NAME = "alphaplus-store"
_TRANSPORT = frozenset(
    {"query", "query_id", "database", "default_format", "user", "password", "quota_key", "role", "compress"}
    | {"decompress", "buffer_size", "stacktrace", "session_id", "session_timeout", "session_check", "close_session"}
    | {"wait_end_of_query", "client_protocol_version"}
)
_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
_BAD_REQUEST = frozenset(
    (6, 15, 25, 26, 27, 36, 38, 41, 44, 53, 56, 62, 69, 72, 80, 117, 130, 131, 167, 168, 223, 376, 441, 456, 457, 467)
)
_NOT_FOUND = frozenset((46, 47, 50, 60, 63, 73, 81, 115, 336, 393))
_STATUS = {48: 501, 159: 408, 162: 413, 202: 503, 209: 503, 439: 503, 516: 403}


def status_of(code: int) -> int:
    """The HTTP status with which ClickHouse sends an error code."""
    return 400 if code in _BAD_REQUEST else 404 if code in _NOT_FOUND else _STATUS.get(code, 500)


class Server(socketserver.ThreadingTCPServer):
    """One thread a connection. OSError says that the port is taken."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    engine: Engine

    def __init__(self, port: int):
        super().__init__((LOOPBACK, port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is nobody's fault; anything else is one line."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"store: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = NAME
    timeout = 300
    disable_nagle_algorithm = True
    default_headers: ClassVar[dict[str, str]] = {
        "X-ClickHouse-Server-Display-Name": NAME,
        "X-ClickHouse-Timezone": "UTC",
    }

    def do_GET(self) -> None:
        """A query that may not change anything, or `/ping`."""
        self._serve(only_reads=True)

    def do_POST(self) -> None:
        """Any statement; the text is `query` followed by the body."""
        self._serve(only_reads=False)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""

    def _serve(self, *, only_reads: bool) -> None:
        query_id = ""
        try:
            url = urlsplit(self.path)
            given = dict(parse_qsl(url.query, keep_blank_values=True))
            query_id = given.get("query_id") or str(uuid.uuid4())
            text = self._text(given)
            if self._foreign():
                raise Refusal("requests from web pages of other origins are refused", 516)
            if not text.strip():
                known = url.path.rstrip("/") in ("", "/ping")
                self._send(200 if known else 404, b"Ok.\n" if known else b"There is no such path\n", query_id, {})
                return
            answer = self._run(text, given, only_reads)
        except Refusal as refusal:
            headers = {"X-ClickHouse-Exception-Code": str(refusal.code)}
            self._send(status_of(refusal.code), f"{refusal}\n".encode(), query_id, headers)
            return
        headers = {"X-ClickHouse-Summary": json.dumps(answer.summary)}
        if answer.format:
            headers["X-ClickHouse-Format"] = answer.format
        self._send(200, answer.body, query_id, headers)

    def _run(self, text: bytes, given: dict[str, str], only_reads: bool) -> Answer:
        settings = {n: v for n, v in given.items() if n not in _TRANSPORT and not n.startswith("param_")}
        if only_reads:
            settings.setdefault("readonly", "2")
        parameters = {n.removeprefix("param_"): v for n, v in given.items() if n.startswith("param_")}
        database = given.get("database") or self.headers.get("X-ClickHouse-Database") or ""
        written = given.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        return self.server.engine.run(text, parameters, settings, database, written)

    def _foreign(self) -> bool:
        hosts = [self.headers.get("Host", "localhost"), urlsplit(self.headers.get("Origin", "//localhost")).netloc]
        return any(re.sub(r":\d+$", "", host) not in _HOSTS for host in hosts)

    def _text(self, given: dict[str, str]) -> bytes:
        """The statement; form fields are added to `given`."""
        try:
            body = read_body(self.headers, self.rfile)
        except Refusal:
            self.close_connection = True
            raise
        if self.headers.get_content_type() == "multipart/form-data":
            given.update(fields(self.headers["Content-Type"], body))
            body = b""
        query = given.get("query", "").encode()
        return query + b"\n" + body if query and body else query or body

    def _send(self, status: int, body: bytes, query_id: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        plain = {"Content-Type": "text/plain; charset=UTF-8", "Content-Length": str(len(body))}
        for name, value in {**plain, **self.default_headers, "X-ClickHouse-Query-Id": query_id, **headers}.items():
            self.send_header(name, re.sub(r"[^\x20-\x7e]", "?", value))
        self.end_headers()
        self.wfile.write(body)
