"""The part of ClickHouse's HTTP interface that clients use, on loopback, over one engine.

Taken: GET and POST, `query`, `database`, `default_format`, `param_*` and settings as URL parameters or form fields,
chunked and compressed bodies, `/ping`. Answers are not compressed. A `session_id` is accepted and keeps nothing.

Whoever asks shows a secret (HTTP basic authentication, or `X-ClickHouse-User` and `-Key`), for any process of this
machine reaches the port. Only `default`, whose secret the flows have, may write, and only by POST. A page in a browser
is refused by `Host` and `Origin` besides, and nothing is sent that makes a browser ask its user for the secret.
"""

import base64
import binascii
import json
import re
import socketserver
import sys
import uuid
from http.server import BaseHTTPRequestHandler
from socket import socket as Socket
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from deploy.local.body import fields, read_body
from deploy.local.engine import Answer, Engine, Refusal
from deploy.local.process import LOOPBACK
from deploy.local.secret import WRITER, Secrets

NAME = "alphaplus-store"
_TRANSPORT = frozenset(
    {"query", "query_id", "database", "default_format", "user", "password", "quota_key", "role", "compress"}
    | {"decompress", "buffer_size", "stacktrace", "session_id", "session_timeout", "session_check", "close_session"}
    | {"wait_end_of_query", "client_protocol_version"}
)
_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
_SETTINGS = re.compile(
    r"(in|out)put_format_\w+|format_csv_\w+|date_time_\w+|join_\w+|insert_deduplicat\w+|\w*deduplicate_blocks\w*"
    r"|max_(threads|insert_threads|block_size|insert_block_size|memory_usage|execution_time|query_size|result_\w+)"
    r"|max_(rows|bytes)_to_\w+|min_insert_block_size_\w+|(result|read|timeout)_overflow_mode|http_headers_progress_\w+"
    r"|send_progress_in_http_headers|cancel_http_readonly_queries_on_client_close|enable_http_compression"
    r"|async_insert|wait_for_async_insert|precise_float_parsing|readonly|final|extremes|limit|offset|session_timezone"
    r"|log_comment|use_query_cache|cast_keep_nullable|cast_string_to_\w+|allow_experimental_\w+_type|enable_json_type"
    r"|mutations_sync|alter_sync|lightweight_\w+_sync"
)
"""The settings that an address may hold; all that name files are fixed besides (`rights.py`)."""
_BAD_REQUEST = frozenset(
    (6, 15, 25, 26, 27, 36, 38, 41, 44, 53, 56, 62, 69, 72, 80, 117, 130, 131, 167, 168, 223, 376, 441, 456, 457, 467)
)
_NOT_FOUND = frozenset((46, 47, 50, 60, 63, 73, 81, 115, 336, 393))
_STATUS = {48: 501, 159: 408, 162: 413, 202: 503, 209: 503, 439: 503, 497: 403, 516: 403}

_SHOWS = "show user and secret by HTTP basic authentication; `alphaplus query --url` prints an address that reads"


def status_of(code: int) -> int:
    """The HTTP status with which ClickHouse sends an error code."""
    return 400 if code in _BAD_REQUEST else 404 if code in _NOT_FOUND else _STATUS.get(code, 500)


class Server(socketserver.ThreadingTCPServer):
    """One thread a connection."""

    daemon_threads = True

    def __init__(self, listening: Socket, secrets: Secrets, engine: Engine):
        super().__init__((LOOPBACK, 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.server_address = listening, listening.getsockname()
        self.secrets, self.engine = secrets, engine

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
            if self._foreign():
                self.close_connection = True
                raise Refusal("requests from web pages and by other names of this machine are refused", 516)
            user = self._user()
            known = url.path.rstrip("/") in ("", "/ping")
            if not user and not (known and self.command == "GET" and "query" not in given):
                self.close_connection = True
                raise Refusal(f"Authentication failed: {_SHOWS}", 516)
            text = self._text(given)
            if not text.strip():
                self._send(200 if known else 404, b"Ok.\n" if known else b"There is no such path\n", query_id, {})
                return
            answer = self._run(text, given, writes=user == WRITER and not only_reads)
        except Refusal as refusal:
            headers = {"X-ClickHouse-Exception-Code": str(refusal.code)}
            self._send(status_of(refusal.code), f"{refusal}\n".encode(), query_id, headers)
            return
        headers = {"X-ClickHouse-Summary": json.dumps(answer.summary)}
        if answer.format:
            headers["X-ClickHouse-Format"] = answer.format
        self._send(200, answer.body, query_id, headers)

    def _run(self, text: bytes, given: dict[str, str], *, writes: bool) -> Answer:
        settings = {n: v for n, v in given.items() if n not in _TRANSPORT and not n.startswith("param_")}
        for name in settings:
            if not _SETTINGS.fullmatch(name):
                raise Refusal(f"Unknown setting {name!r}, or one that the embedded store takes from no client", 115)
        if settings.pop("readonly", "0") != "0":
            writes = False
        parameters = {n.removeprefix("param_"): v for n, v in given.items() if n.startswith("param_")}
        database = given.get("database") or self.headers.get("X-ClickHouse-Database") or ""
        written = given.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        return self.server.engine.run(text, parameters, settings, database, written, writes=writes)

    def _foreign(self) -> bool:
        """Whether it comes from a web page, or asks for a name that somebody has led to this machine."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        own = re.sub(r":\d+$", "", host) in _HOSTS
        of_a_page = self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        return not own or of_a_page or (origin is not None and origin != f"http://{host}")

    def _user(self) -> str:
        """Who shows a secret that is his, "" for nobody."""
        kind, _, shown = self.headers.get("Authorization", "").partition(" ")
        user, secret = self.headers.get("X-ClickHouse-User", ""), self.headers.get("X-ClickHouse-Key", "")
        if kind.lower() == "basic":
            try:
                user, _, secret = base64.b64decode(shown, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return ""
        return user if self.server.secrets.admits(user, secret) else ""

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
