"""A relay before ClickHouse that is slow, half dead or lying for as long as it is told to be."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODES = ("refuses", "slow", "silent", "lies", "drops")
"""It answers 503; late; not at all; 200 with an exception, and stores nothing; stores, and loses the answer."""
EXCEPTION = b"Code: 242. DB::Exception: Table is in readonly mode. (TABLE_IS_READ_ONLY)"
SLOW_S = 2.0


class Relay:
    """`mode` is how it behaves now, "" that it passes everything on."""

    def __init__(self, target: int) -> None:
        self.target, self.mode, self.told = target, "", 0

    @contextmanager
    def serve(self) -> Iterator[int]:
        """Its port, while it serves."""
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                mode = relay.mode
                relay.told += bool(mode)
                if mode == "refuses":
                    return self.reply(503, {}, b"")
                if mode == "lies" and "insert_deduplication_token" in self.path:
                    return self.reply(200, {}, EXCEPTION)
                while mode and relay.mode == mode == "silent":
                    time.sleep(0.05)
                if mode == "slow":
                    time.sleep(SLOW_S)
                upstream = http.client.HTTPConnection("127.0.0.1", relay.target, timeout=60)
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                if mode in ("drops", "silent"):
                    self.close_connection = True
                    return None
                skipped = ("connection", "content-length", "transfer-encoding", "date", "server")
                return self.reply(
                    answer.status, {n: v for n, v in answer.getheaders() if n.lower() not in skipped}, content
                )

            do_GET = do_POST

            def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

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
            self.mode = ""
            server.shutdown()
            server.server_close()
