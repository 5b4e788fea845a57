"""The simulated market as a process: publishes its frames into the raw topics at the pace of the wall clock."""

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import msgspec

from flows.job_graph import raw_topic
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.written_marks import Marks
from flows.printable import printable
from flows.refusal import Unreachable
from flows.session.supervisor import end_with_parent
from flows.settings.sources import environment, load
from flows.settings.tree import Settings
from flows.topic_names import ACCOUNTS, written_topics
from models.simulator import Settings as Simulated
from models.simulator import disturb, market

SECOND_NS = 1_000_000_000


def topic_of(kind: str, settings: Settings, simulated: Simulated) -> str:
    """Where frames of a kind go."""
    name = kind if kind == ACCOUNTS else raw_topic(kind, simulated.venue)
    return settings.kafka.prefix + name


def publish(settings: Settings, simulated: Simulated, topics: set[str]) -> None:
    """Publish until told to stop; a frame goes out when its time of receipt has come."""
    kafka = settings.kafka
    publisher = Publisher(kafka, kafka.retry_s)
    # accounts are in other partitions than the markets that they trade
    *raw, accounts = written_topics(settings)
    of_markets, of_accounts = (
        Marks(publisher, marked, kafka.partitions, kafka.mark_ms, settings.windows) for marked in (raw, [accounts])
    )
    bases = {symbol: symbol.removesuffix("USDT").encode() for symbol in simulated.symbols}
    for frame in disturb(market(simulated), simulated):
        topic = topic_of(frame.kind, settings, simulated)
        if topic not in topics:
            continue
        while (early_ns := frame.received_ns - time.time_ns()) > 0:
            publisher.poll()
            time.sleep(min(early_ns / SECOND_NS, 0.05))
        nameless = frame.kind == "depth" and frame.data.startswith(b'{"lastUpdateId"')
        key = bases.get(frame.symbol, frame.symbol.encode())
        publisher.publish(topic, key, frame.data, frame.received_ns // 1_000_000, frame.symbol if nameless else None)
        (of_accounts if frame.kind == ACCOUNTS else of_markets).wrote(key, frame.received_ns // 1_000_000)
        of_markets.come_to(frame.received_ns // 1_000_000)
        of_accounts.come_to(frame.received_ns // 1_000_000)
    publisher.flush()


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> int:
    """`python -m flows.session.simulate --settings FILE --market FILE --topics a,b`."""
    parser = argparse.ArgumentParser(prog="python -m flows.session.simulate", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings of the session")
    parser.add_argument("--market", type=Path, required=True, help="settings of the simulated market, JSON")
    parser.add_argument("--topics", required=True, help="the topics to publish to, comma separated")
    parser.add_argument("--past", type=int, default=0, help="begin so many minutes ago, and catch up at full speed")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    end_with_parent()
    simulated = msgspec.json.decode(given.market.read_bytes(), type=Simulated)
    start_ns = (time.time_ns() // SECOND_NS + 1 - 60 * given.past) * SECOND_NS
    try:
        publish(
            load(given.settings, environment()),
            msgspec.structs.replace(simulated, start_ns=start_ns),
            set(given.topics.split(",")),
        )
    except Unreachable as error:
        print(printable(f"simulate: {error}"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
