"""A relay before a store: what it answers itself, and whose answers it loses, its owner says request by request."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answer(NamedTuple):
    """What a client is told."""

    status: int
    headers: dict[str, str]
    content: bytes


HANG_UP = Answer(0, {}, b"")
"""Nothing is passed on, and the connection is closed."""
NOT_PASSED_ON = ("connection", "content-length", "transfer-encoding", "date", "server")


def is_block(path: str) -> bool:
    """Whether a request stores a block."""
    return "insert_deduplication_token" in path


@contextmanager
def relay(target: int, before: Callable[[str], Answer | None], lost: Callable[[str], bool]) -> Iterator[int]:
    """The port of a relay to a store's. `before` answers instead of the store; an answer that is `lost` was stored."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = before(self.path)
            if answer is HANG_UP:
                return self.hang_up()
            if answer is not None:
                return self.reply(answer)
            upstream = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
            upstream.request(self.command, self.path, body, dict(self.headers))
            got = upstream.getresponse()
            content = got.read()
            upstream.close()
            if lost(self.path):
                return self.hang_up()
            headers = {name: value for name, value in got.getheaders() if name.lower() not in NOT_PASSED_ON}
            return self.reply(Answer(got.status, headers, content))

        do_GET = do_POST

        def hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that has gone away is what such a relay is for."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
