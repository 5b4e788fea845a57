"""Frames a second that one receiving process takes, beside the plain websocket library on the same frames, in turns.

`python -m tests.bench.bench_live [--frames 50000] [--repeats 7] [--capture FILE]`: a server process sends the depth frames
of a capture (else made-up ones as long), again and again with ids that go on, as fast as they are taken. Plain: aiohttp
reads and counts. Live: the frames go through line, buffer and pump, routed, watched and counted, to an outlet that drops
them, or with `--brokers` into the raw topics. Frames a second of wall time and of the receiving process's CPU time (which
other work on the machine disturbs less); medians, and of the ratios the median over the turns.
"""

import argparse
import asyncio
import base64
import contextlib
import gzip
import hashlib
import itertools
import re
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import aiohttp

from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.live.feeds_by_venue import FEEDS
from flows.live.outlet import Routed, Topics
from flows.live.receiver import Receiver
from flows.settings.tree import Live
from schemas.venues.registry import VENUES
from tests.services.backend import free_ports

LEVELS = ",".join(f'["{60_000 + i}.10","{i}.125"]' for i in range(36))
FRAME = (
    '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161257342,"T":1723161257342,"s":"BTCUSDT",'
    f'"U":5123107923638,"u":5123107926989,"pu":5123107923586,"b":[{LEVELS}],"a":[{LEVELS}]}}}}'
).encode()
IDS = re.compile(rb'"U":(\d+),"u":(\d+),"pu":(\d+)')
CHUNK = 200
VENUE = "binance-usdm"


def material(capture: Path | None, count: int) -> list[bytes]:
    """So many depth frames whose ids hang together."""
    some = [FRAME]
    if capture is not None:
        with gzip.open(capture, "rb") as lines:
            of = [line.partition(b" ")[2].strip() for line in lines if b'"depthUpdate"' in line]
        some = [re.sub(rb"@depth@\w+", b"@depth@100ms", frame, count=1) for frame in of]
    ids = [tuple(map(int, found.groups())) for found in map(IDS.search, some) if found]
    again = ids[-1][1] - ids[0][2]
    return [
        IDS.sub(b'"U":%d,"u":%d,"pu":%d' % tuple(i + again * (n // len(some)) for i in ids[n % len(some)]), frame, 1)
        for n, frame in zip(range(count), itertools.cycle(some), strict=False)
    ]


async def serve(port: int, frames: list[bytes]) -> None:
    """Answer each connection with the frames, at once."""
    wire = [b"\x81\x7e" + len(frame).to_bytes(2, "big") + frame for frame in frames]
    chunks = [b"".join(wire[at : at + CHUNK]) for at in range(0, len(wire), CHUNK)]

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return
        (key,) = [s.partition(": ")[2] for s in head.split("\r\n") if s.lower().startswith("sec-websocket-key")]
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
            await reader.read()

    async with await asyncio.start_server(send, "127.0.0.1", port) as server:
        await server.serve_forever()


async def plain(url: str, frames: int) -> None:
    """The library alone."""
    count = 0
    async with aiohttp.ClientSession() as session, session.ws_connect(url, decode_text=False, max_msg_size=0) as ws:
        async for _ in ws:
            count += 1
            if count == frames:
                return


class Dropped:
    """An outlet that counts."""

    def __init__(self) -> None:
        self.count = 0

    def frames(self, received_ns: int, routed: Routed) -> None:
        self.count += len(routed.frames)

    def tick(self, received_ns: int) -> None: ...

    def missed(self, missed: object) -> None:
        raise AssertionError("frames found no room: no measurement")

    def close(self) -> None: ...


class Counted(Topics):
    """The raw topics, counted."""

    count = 0

    def frames(self, received_ns: int, routed: Routed) -> None:
        self.count += len(routed.frames)
        super().frames(received_ns, routed)


async def live(url: str, frames: int, outlet: "Dropped | Counted") -> None:
    """Through line, buffer and pump."""
    feed = replace(FEEDS[VENUE], snapshots=None, sockets={"public": url}, chain=FEEDS[VENUE].chain)
    told = Live(buffer_bytes=4_000_000_000, heartbeat_s=3600.0)
    receiver = Receiver(feed, VENUES[VENUE], ["BTCUSDT"], {}, told, outlet)
    task = asyncio.create_task(receiver.run())
    while outlet.count < frames:
        await asyncio.sleep(0.02)
        if task.done():
            task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def measured(run: "asyncio.coroutines.Coroutine[object, object, None]") -> tuple[float, float]:  # type: ignore[name-defined]
    """Seconds of wall and CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(run)
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Print a line a way and the ratio."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_live", description=__doc__)
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--capture", type=Path, help="a capture of Binance USD-M whose depth frames are sent")
    parser.add_argument("--brokers", default="", help="write to the raw topics there, under a prefix of its own")
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve, material(given.capture, given.frames)))
        return
    (port,) = free_ports(1)
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.bench_live", *sys.argv[1:], "--serve", str(port)])
    url, prefix = f"http://127.0.0.1:{port}/", f"bench-live-{time.time_ns():x}."
    try:
        while server.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        took: dict[str, list[tuple[float, float]]] = {"plain": [], "live": []}
        for _ in range(given.repeats):
            took["plain"].append(measured(plain(url, given.frames)))
            outlet: Dropped | Counted = Dropped()
            if given.brokers:
                kinds = VENUES[VENUE].kinds
                create_topics(given.brokers, [f"{prefix}raw.{k}.{VENUE}" for k in kinds], 4)
                outlet = Counted(Publisher(given.brokers), VENUE, kinds, prefix, 4, 500)
            took["live"].append(measured(live(url, given.frames, outlet)))
        for name, times in took.items():
            wall, cpu = (given.frames / statistics.median(t[i] for t in times) for i in (0, 1))
            print(f"{name}: {wall:,.0f} frames/s, {cpu:,.0f} frames a CPU second")
        turns = list(zip(took["plain"], took["live"], strict=True))
        wall, cpu = (statistics.median(plain[i] / live[i] for plain, live in turns) for i in (0, 1))
        print(f"ratio: {wall:.2f} (wall), {cpu:.2f} (CPU)")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
