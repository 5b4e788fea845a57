"""A door before a store: https with a certificate, and a user who must say a password, as a ClickHouse server asks.

`python -m tests.services.tls_front PORT INNER_PORT CERTIFICATE USER`, the password in FRONT_PASSWORD, the one of the
store behind it in STORE_PASSWORD; a process of its own, because asyncio leaves sockets open whose handshake failed, and here an open socket is an error.
"""

import asyncio
import base64
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import aiohttp
from aiohttp import web

from tests.services.backend import Store, free_ports
from tests.services.process import ROOT

REFUSED = "Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
HOP_BY_HOP = {"host", "authorization", "content-length", "transfer-encoding", "connection", "date", "server"}


class TlsFront:
    """`url` is what clients are told."""

    def __init__(self, store: Store, certificate: Path, user: str, password: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"https://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", __name__, str(self.port), str(store.port), str(certificate), user]
        self._passwords = {"FRONT_PASSWORD": password, "STORE_PASSWORD": store.password}

    def __enter__(self) -> "TlsFront":
        environ = {**os.environ, **self._passwords}
        self._process = subprocess.Popen(self._command, cwd=ROOT, env=environ, stdin=subprocess.PIPE)
        until = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.__exit__(None, None, None)
        raise RuntimeError("the front did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(20)


async def serve(port: int, inner_port: int, certificate: str, user: str, password: str, inner: str) -> None:
    """Pass on what the right user asks, refuse the rest."""
    wanted = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"

    async def pass_on(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != wanted:
            return web.Response(
                status=403, headers={"X-ClickHouse-Exception-Code": "516"}, text=REFUSED.format(user=user)
            )
        sent = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        sent |= {"X-ClickHouse-User": "default", "X-ClickHouse-Key": inner}
        where = f"http://127.0.0.1:{inner_port}{request.path_qs}"
        async with session.request(request.method, where, data=await request.read(), headers=sent) as answer:
            back = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=back)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    passwords = os.environ["FRONT_PASSWORD"], os.environ["STORE_PASSWORD"]
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], *passwords))
