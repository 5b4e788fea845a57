"""Serving: uvicorn on a socket of this machine, with bounds to what somebody without the secret can take of it.

A connection that has not asked anything yet waits among `STRANGERS` at most: of more than that, the one that has waited
longest is closed, so that nobody keeps others out by opening many. None waits longer than `ASKS_WITHIN_S`.
"""

import asyncio
from collections import deque
from typing import ClassVar

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

STRANGERS = 128
CONNECTIONS = 512
ASKS_WITHIN_S = 10.0
LARGEST_HEAD = 2**20
STOPS_WITHIN_S = 20


class Bounded(H11Protocol):
    """One connection."""

    waiting: ClassVar[deque["Bounded"]] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room, and wait for the head of a request."""
        super().connection_made(transport)
        while self.waiting and (len(self.waiting) >= STRANGERS or self.waiting[0].has_asked):
            self.waiting.popleft().end_unless_asked()
        if len(self.connections) > CONNECTIONS:
            transport.abort()
            return
        self.waiting.append(self)
        self.loop.call_later(ASKS_WITHIN_S, self.end_unless_asked)

    @property
    def has_asked(self) -> bool:
        """Whether the head of a request has come, or it has gone."""
        return self.cycle is not None or self.transport.is_closing()

    def end_unless_asked(self) -> None:
        """Close a connection on which no request has begun."""
        if not self.has_asked:
            self.transport.abort()


def server(app: Starlette) -> uvicorn.Server:
    """To be run on a socket that listens; `should_exit` ends it, with what is under way."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Bounded,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_keep_alive=300,
            timeout_graceful_shutdown=STOPS_WITHIN_S,
            backlog=STRANGERS,
        )
    )
