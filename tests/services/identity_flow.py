"""A flow that copies each frame of a shard to a derived topic, with an id; run as a process by the tests.

`python identity_flow.py '{"brokers": ..., "directory": ..., ...}'`. Its state is a count of frames per topic, so a
state that did not resume exactly where the offsets did shows in the ids.
"""

import json
import sys
from pathlib import Path

from flows.engine.runner import REFUSED, run
from flows.engine.wiring import flow
from flows.kafka.reader import Kafka
from flows.kafka.rows_sink import KafkaRows
from flows.kafka.source import KafkaShards, Pace
from flows.recovery.directory import Recovery
from flows.refusal import Refused
from schemas.shard import Batch, Rows

DERIVED = "derived"


class Copy:
    """`{"id":"<topic>-<partition>|<how many before it>","offset":...,"value":...}`."""

    def __init__(self, key: str, frozen: bytes | None) -> None:
        self.key = key
        self.counts: dict[str, int] = json.loads(frozen) if frozen else {}

    def on_batch(self, batch: Batch) -> list[Rows]:
        out = []
        for log in batch.frames:
            records = []
            for i in range(len(log)):
                count = self.counts.get(log.topic, 0)
                self.counts[log.topic] = count + 1
                head = f'{{"id":"{log.topic}-{log.partition}|{count}","offset":{log.offsets[i]},"value":'
                records.append((self.key.encode(), head.encode() + log.frame(i) + b"}"))
            out.append(Rows(DERIVED, log.partition, records))
        return out

    def freeze(self) -> bytes:
        return json.dumps(self.counts).encode()


def main(setting: dict) -> int:
    global DERIVED  # noqa: PLW0603
    DERIVED = setting["derived"]
    source = KafkaShards(
        Kafka(setting["brokers"], start_s=setting.get("start_s", 10), retry_s=setting.get("retry_s", 30)),
        tuple(setting["topics"]),
        setting["partitions"],
        share=tuple(setting.get("share", (0, 1))),
        pace=Pace(**setting.get("pace", {})),
        ends=Path(setting["ends"]) if "ends" in setting else None,
    )
    dataflow = flow(
        "identity", source, [(setting.get("step", "copy"), Copy)], KafkaRows(setting["brokers"], setting["partitions"])
    )
    try:
        recovery = Recovery(Path(setting["directory"]))
    except Refused as error:
        print(error, file=sys.stderr)
        return REFUSED
    identity = {"topics": list(source.topics), "partitions": source.partitions, "share": list(source.share)}
    return run(dataflow, recovery, identity, source.stopping, setting.get("epoch_ms", 50))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
