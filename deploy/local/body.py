"""The body of a request: whole or not at all, compressed or not, and never more of it than there is room for."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

from deploy.local.engine import Refusal

LARGEST = 2**28
AT_A_TIME = 2**29
"""Bytes of all requests together; whoever comes beyond is told to come again."""
WITHIN_S = 60.0
_PIECE = 2**20
_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, zlib.error, zstd.ZstdError)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Deflated:
    """zlib with the ways of the others: it keeps what did not fit."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_DECODERS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": _Deflated,
    "deflate": _Deflated,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
}


class Room:
    """What bodies take of the memory, all of them together."""

    def __init__(self, most: int = AT_A_TIME) -> None:
        self._left = most

    @contextmanager
    def taken(self) -> Iterator[Callable[[int], None]]:
        """Give back at the end what was taken; Refusal when a body is too large or there is no room for it now."""
        held = 0

        def take(size: int) -> None:
            nonlocal held
            if held + size > LARGEST:
                raise Refusal(f"a body of more than {LARGEST} bytes is not taken", 162)
            if size > self._left:
                raise Refusal("too many bytes under way at a time; try again", 202)
            held += size
            self._left -= size

        try:
            yield take
        finally:
            self._left += held


async def read_body(stream: AsyncIterator[bytes], encoding: str, take: Callable[[int], None]) -> bytes:
    """The body as its sender meant it; a Refusal if it cannot be, ClientDisconnect if he went away inside it."""
    packed = _Packed(encoding) if encoding not in ("", "identity") else None
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            async for chunk in stream:
                for piece in packed.pieces(chunk) if packed is not None else (chunk,):
                    take(len(piece))
                    pieces.append(piece)
    except TimeoutError:
        raise Refusal(f"the body did not come within {WITHIN_S:.0f} s", 159) from None
    if packed is not None and not packed.whole:
        raise Refusal(f"the body is not {encoding}: it ends too early", 271)
    return b"".join(pieces)


class _Packed:
    """A compressed body: one frame after the other, as clients send a block each."""

    def __init__(self, encoding: str) -> None:
        if encoding not in _DECODERS:
            raise Refusal(f"Unknown compression method {encoding!r}", 89)
        self._encoding = encoding
        self._decoder = _DECODERS[encoding]()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing of the last frame."""
        return self._decoder.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What is in a chunk, a piece at a time: a small one can hold more than there is memory."""
        try:
            while chunk or not self._decoder.eof:
                if self._decoder.eof:
                    self._decoder = _DECODERS[self._encoding]()
                piece = self._decoder.decompress(chunk, _PIECE)
                chunk = (self._decoder.unused_data or b"") if self._decoder.eof else b""
                if not piece and not self._decoder.eof:
                    return
                yield piece
        except _UNREADABLE as error:
            raise Refusal(f"the body is not {self._encoding}: {error}", 271) from None
