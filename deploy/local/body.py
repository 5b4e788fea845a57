"""The body of a request: whole or not at all, chunked or not, compressed or not, a form or a statement."""

import gzip
import re
import zlib
from collections.abc import Callable
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from io import BufferedIOBase

import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

from deploy.local.engine import Refusal

LARGEST_BODY = 2**28
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
}
_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, zlib.error, zstd.ZstdError)


def read_body(headers: Message, stream: BufferedIOBase) -> bytes:
    """The body as its sender meant it; a Refusal if it cannot be, ConnectionError if the sender went away inside it."""
    encoding = headers.get("Content-Encoding", "")
    chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    body = _chunks(stream) if chunked else _exactly(stream, _length(headers.get("Content-Length", "0")))
    if encoding not in _DECODERS:
        raise Refusal(f"Unknown compression method {encoding!r}", 89)
    try:
        return _DECODERS[encoding](body)
    except _UNREADABLE as error:
        raise Refusal(f"the body is not {encoding}: {error}", 271) from None


def _length(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_BODY:
        raise Refusal(f"a body of {text} bytes is not taken, {LARGEST_BODY} at most", 162)
    return int(text)


def _chunks(stream: BufferedIOBase) -> bytes:
    chunks: list[bytes] = []
    room = LARGEST_BODY
    while size := _chunk_size(stream, room):
        chunks.append(_exactly(stream, size))
        room -= size
        stream.readline()
    while stream.readline() not in (b"\r\n", b"\n", b""):
        pass
    return b"".join(chunks)


def _chunk_size(stream: BufferedIOBase, room: int) -> int:
    line = stream.readline(1024).split(b";")[0].strip()
    if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line) or int(line, 16) > room:
        raise Refusal(f"a chunk of {line!r} bytes is not taken, {LARGEST_BODY} in all at most", 162)
    return int(line, 16)


def _exactly(stream: BufferedIOBase, size: int) -> bytes:
    """All of `size` bytes; half an INSERT must never be taken for a whole one."""
    body = stream.read(size)
    if len(body) < size:
        raise ConnectionError("the client went away inside its body")
    return body


def fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form; one with a file name is external data, which the store does not take."""
    form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields: dict[str, str] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None or not isinstance(name, str):
            raise Refusal("external data are not supported by the embedded store", 48)
        content = part.get_payload(decode=True)
        fields[name] = content.decode(errors="replace") if isinstance(content, bytes) else ""
    return fields
