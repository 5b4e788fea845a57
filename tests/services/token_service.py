"""A service that gives out tokens, as OpenID Connect has it: client id and secret in, a bearer token out."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class TokenService:
    """Tokens are unsigned: the broker of the tests takes those."""

    def __init__(self, user: str, secret: str) -> None:
        wanted = "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
        given = self.given = []  # type: ignore[var-annotated]

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                good = self.headers.get("Authorization") == wanted and form["grant_type"] == ["client_credentials"]
                now = int(time.time())
                claims = {"sub": user, "iat": now, "exp": now + 600, "scope": form.get("scope", [""])[0]}
                token = f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."
                told = {"access_token": token, "token_type": "Bearer", "expires_in": 600}
                body = json.dumps(told if good else {"error": "invalid_client"}).encode()
                given.append(good)
                self.send_response(200 if good else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def __enter__(self) -> "TokenService":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
