"""Websocket: the library's, which also hands over at once all that has come; asking frame by frame costs the most."""

from typing import Literal

import aiohttp

TEXT, BINARY = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY


class Websocket(aiohttp.ClientWebSocketResponse[Literal[False]]):
    """For `ClientSession(ws_response_class=Websocket)`."""

    reason = ""
    """What the other end said when it closed."""

    async def come(self) -> list[bytes]:
        """The frames that are there, at least one, in their order; waits for the first. Empty: it is over.

        Frames that came in one piece are taken without going through `receive` each; whatever else stands among them
        (pings, the end) is left to it.
        """
        message = await self.receive()
        if message.type is not TEXT and message.type is not BINARY:
            if message.type is aiohttp.WSMsgType.CLOSE:
                self.reason = message.extra or ""
            return []
        frames: list[bytes] = [message.data]
        held = self._reader._buffer
        while held and ((kind := held[0][0][0]) is TEXT or kind is BINARY):
            frames.append((await self._reader.read())[1])
        return frames
