"""The part of ClickHouse's HTTP interface that clients use, on loopback, over one engine.

Taken: GET and POST, `query`, `database`, `default_format`, `param_*` and settings as URL parameters or form fields,
chunked and compressed bodies, `/ping`. Answers are not compressed. A `session_id` is accepted and keeps nothing.

Whoever asks shows a secret (HTTP basic authentication, or `X-ClickHouse-User` and `-Key`), for any process of this
machine reaches the port. Only `default`, whose secret the flows have, may write, and only by POST. A page in a browser
is refused by `Host` and `Origin` besides, and nothing is sent that makes a browser ask its user for the secret.
"""

import asyncio
import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.local.body import LARGEST, WITHIN_S, Room, read_body
from deploy.local.engine import AT_ONCE, Answer, Engine, Refusal
from deploy.local.store_secrets import WRITER, Secrets

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


class Interface:
    """What answers requests; `app` is served."""

    def __init__(self, engine: Engine, secrets: Secrets) -> None:
        self._engine, self._secrets = engine, secrets
        self._room = Room()
        self._threads = CapacityLimiter(AT_ONCE)
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        given = dict(parse_qsl(request.url.query, keep_blank_values=True))
        query_id = given.get("query_id") or str(uuid.uuid4())
        try:
            return await self._served(request, given, query_id)
        except Refusal as refusal:
            # what follows of the request is not read
            more = {"X-ClickHouse-Exception-Code": str(refusal.code), "Connection": "close"}
            return _response(status_of(refusal.code), f"{refusal}\n".encode(), query_id, more)
        except ClientDisconnect:
            return Response(status_code=400)  # for nobody

    async def _served(self, request: Request, given: dict[str, str], query_id: str) -> Response:
        if _foreign(request.headers):
            raise Refusal("requests from web pages and by other names of this machine are refused", 516)
        known = request.url.path.rstrip("/") in ("", "/ping")
        user = self._user(request.headers)
        if not user and not (known and request.method == "GET" and "query" not in given):
            raise Refusal(f"Authentication failed: {_SHOWS}", 516)
        with self._room.taken() as take:
            text = await _text(request, given, take)
            if not text.strip():
                status, said = (200, b"Ok.\n") if known else (404, b"There is no such path\n")
                return _response(status, said, query_id, {})
            writes = user == WRITER and request.method == "POST"
            answer = await to_thread.run_sync(
                partial(self._run, text, given, request.headers, writes=writes), limiter=self._threads
            )
        more = {"X-ClickHouse-Summary": json.dumps(answer.summary)}
        if answer.format:
            more["X-ClickHouse-Format"] = answer.format
        return _response(200, answer.body, query_id, more)

    def _run(self, text: bytes, given: Mapping[str, str], headers: Mapping[str, str], *, writes: bool) -> Answer:
        settings = {n: v for n, v in given.items() if n not in _TRANSPORT and not n.startswith("param_")}
        for name in settings:
            if not _SETTINGS.fullmatch(name):
                raise Refusal(f"Unknown setting {name!r}, or one that the embedded store takes from no client", 115)
        if settings.pop("readonly", "0") != "0":
            writes = False
        parameters = {n.removeprefix("param_"): v for n, v in given.items() if n.startswith("param_")}
        database = given.get("database") or headers.get("X-ClickHouse-Database") or ""
        written = given.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated"
        return self._engine.run(text, parameters, settings, database, written, writes=writes)

    def _user(self, headers: Mapping[str, str]) -> str:
        """Who shows a secret that is his, "" for nobody."""
        kind, _, shown = headers.get("Authorization", "").partition(" ")
        user, secret = headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", "")
        if kind.lower() == "basic":
            try:
                user, _, secret = base64.b64decode(shown, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return ""
        return user if self._secrets.admits(user, secret) else ""


async def _text(request: Request, given: dict[str, str], take: Callable[[int], None]) -> bytes:
    """The statement; form fields are added to `given`."""
    body = b""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "multipart/form-data":
        if not request.headers.get("Content-Length", "").isdecimal():
            raise Refusal("a form says how long it is", 162)
        take(int(request.headers["Content-Length"]))
        try:
            async with asyncio.timeout(WITHIN_S), request.form(max_files=0, max_part_size=LARGEST) as form:
                given.update({name: str(value) for name, value in form.items()})
        except TimeoutError:
            raise Refusal(f"the form did not come within {WITHIN_S:.0f} s", 159) from None
        except (MultiPartException, HTTPException) as error:
            raise Refusal(f"not a form of fields; external data are not supported here: {error}", 48) from None
    else:
        body = await read_body(request.stream(), request.headers.get("Content-Encoding", ""), take)
    query = given.get("query", "").encode()
    return query + b"\n" + body if query and body else query or body


def _foreign(headers: Mapping[str, str]) -> bool:
    """Whether it comes from a web page, or asks for a name that somebody has led to this machine."""
    host, origin = headers.get("Host", ""), headers.get("Origin")
    own = re.sub(r":\d+$", "", host) in _HOSTS
    of_a_page = headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    return not own or of_a_page or (origin is not None and origin != f"http://{host}")


def _response(status: int, body: bytes, query_id: str, more: Mapping[str, str]) -> Response:
    told = {
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Length": str(len(body)),
        "X-ClickHouse-Server-Display-Name": NAME,
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Query-Id": query_id,
        **more,
    }
    response = Response(body, status)
    # in the letters that ClickHouse writes them in, for clients that tell small ones from capitals
    response.raw_headers = [(n.encode(), re.sub(r"[^\x20-\x7e]", "?", value).encode()) for n, value in told.items()]
    return response
