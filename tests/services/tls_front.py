"""A door before a store: https with a certificate, and a user who must say a password, as a ClickHouse server asks."""

import asyncio
import base64
import ssl
import threading
from pathlib import Path
from types import TracebackType

import aiohttp
from aiohttp import web

from tests.services.backend import free_ports

REFUSED = "Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
HOP_BY_HOP = {"host", "authorization", "content-length", "transfer-encoding", "connection", "date", "server"}


class TlsFront:
    """Runs in a thread of its own; `url` is what clients are told."""

    def __init__(self, port: int, certificate: Path, user: str, password: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"https://127.0.0.1:{self.port}"
        self._inner = f"http://127.0.0.1:{port}"
        self._user = user
        self._wanted = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "TlsFront":
        self._thread.start()
        if not self._ready.wait(20):
            raise RuntimeError("the front did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(20)

    def _serve(self) -> None:
        self._loop.run_until_complete(self._until_told())
        self._loop.close()

    async def _until_told(self) -> None:
        self._done = asyncio.Event()
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            app = web.Application(client_max_size=1 << 30)
            app.router.add_route("*", "/{path:.*}", self._pass_on)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self._context).start()
            self._ready.set()
            await self._done.wait()
            await runner.cleanup()
        await asyncio.sleep(0.3)  # encrypted connections say goodbye

    async def _pass_on(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != self._wanted:
            headers = {"X-ClickHouse-Exception-Code": "516"}
            return web.Response(status=403, headers=headers, text=REFUSED.format(user=self._user))
        sent = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method, self._inner + request.path_qs, data=await request.read(), headers=sent
        ) as answer:
            back = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=back)
