"""Leases: which archive stores a log, and how far it has come, said in the database that it stores into.

An archive takes the logs of its share before it reads them, and says again every few seconds, and before the blocks of
an epoch, that it has them. So a second archive of a log ends with one line. Of the first only its recovery directory
may be lost: a lease holds the cuts that the epoch plans and what its tokens begin with, so whoever takes it over cuts
the same blocks under the same tokens, and what is stored already is not stored again.
"""

import atexit
import json
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from flows.clickhouse.client import ClickHouse, StoreError
from flows.clickhouse.errors import Trouble
from flows.clickhouse.inserts import Cuts, blocks
from flows.refusal import Refused

SAID_IN_A_LEASE = 6
"""How often a holder says so before its lease would lapse."""
GIVE_UP_S = 2.0
NAME = "archive_leases"
CREATE = f"""CREATE TABLE IF NOT EXISTS `{NAME}` (
  `topic` String COMMENT 'its full name',
  `partition` Int64 COMMENT 'of the topic',
  `topic_id` String COMMENT 'of the topic: one that is made anew is another log',
  `turn` Int64 COMMENT 'grows with every row of a log',
  `run_id` String COMMENT 'of the recovery directory of the archive that stores the log',
  `process` String COMMENT 'drawn when that archive started',
  `place` String COMMENT 'its host and process id',
  `series` String COMMENT 'what the tokens of its blocks begin with',
  `cuts` Array(Int64) COMMENT 'the next offset, then the end of each planned block; none: from the start of the log',
  `held` Bool COMMENT 'false once it was given up',
  `told_at` DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this was said'
)
ENGINE = ReplacingMergeTree(`turn`)
ORDER BY (`topic`, `partition`, `topic_id`)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'which archive stores a log, and how far it has come'"""
_HELD = f"""SELECT topic, partition, topic_id, turn, run_id, process, place, series, cuts,
  held, dateDiff('millisecond', told_at, now64(3)) / 1000
FROM {NAME} FINAL WHERE (topic, partition, topic_id) IN {{logs:Array(Tuple(String, Int64, String))}}"""
_GATHERED = f"""SELECT topic, partition, place FROM {NAME} FINAL
WHERE process IN {{processes:Array(String)}} AND topic IN {{topics:Array(String)}}
  AND arrayExists((a, b) -> a = b, arrayPopBack(cuts), arrayPopFront(cuts))
ORDER BY topic, partition"""

Log = tuple[str, int, str]
"""Topic, partition, topic id."""


class Left(NamedTuple):
    """Where a log is gone on from: what its tokens begin with, and the planned cuts (none: the start of the log)."""

    series: str
    cuts: Cuts


class _Row(NamedTuple):
    turn: int
    run_id: str
    process: str
    place: str
    series: str
    cuts: Cuts
    held: bool
    age_s: float


class Leases:
    """The leases of one archive process. `settle` may be called from any thread."""

    def __init__(self, clickhouse: ClickHouse, run_id: str, place: str, say: Callable[[str], object]) -> None:
        """`clickhouse` is for these leases alone; `say` gets a line about each archive whose logs are taken over."""
        self._clickhouse = clickhouse
        self._run_id, self._process, self._place = run_id, secrets.token_hex(8), place
        self._say = say
        self._lock, self._planning = threading.Lock(), threading.Lock()
        self._rows: dict[Log, _Row] = {}
        self._planned: dict[Log, Cuts] = {}
        self._told: dict[Log, Cuts] = {}
        self._lease_s = float(clickhouse.settings.lease_s)
        self._every_s = self._lease_s / SAID_IN_A_LEASE
        self._said_s = 0.0
        self._checked = False
        self._lost = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="leases", daemon=True)

    def take(self, logs: Mapping[Log, Cuts | None]) -> dict[Log, Left]:
        """Take logs, with the cuts that the own recovery directory knows (None: it does not know the log).

        Refused for one that another archive holds, or has archived since this one's recovery directory was written.
        """
        with self._lock:
            there, out, told = self._read(logs), {}, set()
            self._whole(logs, {log: there[log] for log, own in logs.items() if own is None and log in there})
            for log, own in logs.items():
                row = there.get(log)
                others = row is not None and row.run_id != self._run_id
                if row is not None and others and row.held and row.age_s < self._lease_s:
                    raise Refused(
                        f"{log[0]}[{log[1]}] is archived by {row.place}, heard of {max(row.age_s, 0):.0f} s ago: one"
                        f" archive a share; end that one, or wait {self._lease_s:.0f} s if it is gone"
                    )
                if row is not None and others and own is not None:
                    raise Refused(
                        f"{log[0]}[{log[1]}] was archived by {row.place} since this recovery directory was written:"
                        " start with that one's, or with a new one"
                    )
                if row is not None and others and row.place not in told:
                    told.add(row.place)
                    self._say(
                        f"goes on where {row.place} left off: the database knows, the recovery directory does not"
                    )
                cuts = own if own is not None else row.cuts if row is not None else ()
                out[log] = Left(row.series if row is not None else self._run_id, cuts)
                turn = 0 if row is None else row.turn
                self._rows[log] = _Row(turn, self._run_id, self._process, self._place, *out[log], True, 0.0)
            self._write(logs)
            self._see(self._read(logs))
        if not self._said_s:
            atexit.register(self._give_up)
            self._thread.start()
        self._said_s = time.monotonic()
        return out

    def _whole(self, logs: Collection[Log], taken: Mapping[Log, _Row]) -> None:
        """Refuse to go on with some of the logs whose blocks another archive gathered and may have stored."""
        cut = {log: row for log, row in taken.items() if any(gathered for _, _, gathered in blocks(row.cuts))}
        if not cut:
            return
        processes, topics = sorted({row.process for row in cut.values()}), sorted({topic for topic, _, _ in cut})
        ours = {(topic, partition) for topic, partition, _ in logs}
        gathered = self._clickhouse.patient_rows(_GATHERED, processes=processes, topics=topics)
        for topic, partition, place in gathered:
            if (topic, partition) not in ours:
                raise Refused(
                    f"{topic}[{partition}] was being stored by {place} together with logs of this share, and that was"
                    " not stopped in good order: start with its share of the partitions, stop that, and begin again"
                )

    def plan(self, cuts: Mapping[Log, Cuts]) -> None:
        """What is committed now as the plan of this epoch; to be said before its first block. Refused if lost."""
        if self._lost:
            raise Refused(self._lost)
        with self._planning:
            self._planned = {**self._planned, **cuts}

    def settle(self) -> None:
        """Before a block: see that all logs are still held, and say what is planned. Refused if one is not."""
        with self._lock:
            if self._lost:
                raise Refused(self._lost)
            if self._planned:
                # while its word is fresh nobody else takes a lease, but for two that started at one time
                self._tell(everything=not self._checked or time.monotonic() - self._said_s > self._every_s)

    def _tell(self, *, everything: bool) -> None:
        """See that all is held still and say so of every log, or else only what blocks are planned now."""
        if everything:
            self._see(self._read(self._rows))
            self._checked = True
        planned = self._planned
        self._rows |= {log: self._rows[log]._replace(cuts=cuts) for log, cuts in planned.items()}
        # where no block is planned, nor was, whoever goes on may as well read some marks again
        changed = [log for log, row in self._rows.items() if len(row.cuts) > 1 or len(self._told.get(log, ())) > 1]
        self._write(self._rows if everything else changed)
        with self._planning:
            self._planned = {log: cuts for log, cuts in self._planned.items() if planned.get(log) != cuts}
        if everything:
            self._said_s = time.monotonic()

    def _see(self, there: Mapping[Log, _Row]) -> None:
        for log in self._rows:
            row = there.get(log)
            if row is not None and row.process != self._process:
                self._lost = f"{log[0]}[{log[1]}] is archived by {row.place} now: one archive a share"
                raise Refused(self._lost)

    def _read(self, logs: Iterable[Log]) -> dict[Log, _Row]:
        try:
            rows = self._clickhouse.patient_rows(_HELD, logs=list(logs))
        except StoreError as error:
            if error.code == 60:
                raise Refused(f"the table {NAME} is missing; run `alphaplus migrate`") from None
            raise
        return self._of(rows)

    @staticmethod
    def _of(rows: list[tuple[Any, ...]]) -> dict[Log, _Row]:
        return {(r[0], r[1], r[2]): _Row(r[3], r[4], r[5], r[6], r[7], tuple(r[8]), r[9], r[10]) for r in rows}

    def _write(self, logs: Collection[Log]) -> None:
        lines = []
        for log in logs:
            row = self._rows[log] = self._rows[log]._replace(turn=self._rows[log].turn + 1)
            said = {**dict(zip(("topic", "partition", "topic_id"), log, strict=True)), **row._asdict()}
            del said["age_s"]
            lines.append(json.dumps(said).encode())
        if lines:
            self._clickhouse.insert_block(NAME, b"\n".join(lines), secrets.token_hex(8))
            self._told |= {log: self._rows[log].cuts for log in logs}

    def _go_on(self) -> None:
        """Say every few seconds that the logs are held, also while there are no blocks, and at the end that not."""
        while not self._over.wait(self._every_s):
            with self._lock:
                if time.monotonic() - self._said_s < self._every_s:
                    continue
                try:
                    self._tell(everything=True)
                except Trouble:
                    continue  # the blocks wait for the same database, and tell of it
                except (Refused, StoreError) as error:
                    self._lost = str(error)
                    return
        with self._lock, suppress(Refused, StoreError):
            self._see(self._of(self._clickhouse.rows(_HELD, logs=list(self._rows))))
            rows, planned = self._rows, self._planned
            self._rows = {log: row._replace(held=False, cuts=planned.get(log, row.cuts)) for log, row in rows.items()}
            self._write(self._rows)

    def _give_up(self) -> None:
        """At the end of the process, so that another need not wait; where that takes long, the lease lapses."""
        self._over.set()
        self._thread.join(GIVE_UP_S)
