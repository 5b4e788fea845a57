"""Guessing: when a log whose writer writes no marks has come how far, judged from the logs and written down.

Never from the pace of this process: however long it was away, nothing is concluded before the broker has confirmed,
after later records of other logs were read here, that the log ends where it was read to.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from flows.kafka.guesses import EVERY_MS, Guess, GuessLog
from flows.kafka.log import Log
from flows.kafka.reader import Reader

NS = 1_000_000
WITHOUT_MARKS_MS = 5_000
"""A log whose last mark is so much older than what other logs show is one without marks: its writer is gone."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """The topics that others may fill, without marks, and where guesses about them are written down."""

    topics: tuple[str, ...]
    log: GuessLog
    recorded_only: bool = False
    """Take the guesses that are written down, and make none."""


class Guessing:
    """The guesses of one part about its logs of foreign topics."""

    def __init__(self, foreign: Foreign, reader: Reader, logs: Mapping[str, Log], since: Mapping[int, int]) -> None:
        """Asks for the recorded guesses; `since` says up to where they were read when the position was saved."""
        self._log = foreign.log
        self._recorded_only = foreign.recorded_only
        self._reader = reader
        self._logs = {(log.topic, log.partition): log for log in logs.values() if log.topic in foreign.topics}
        self._latest_ns = dict.fromkeys(self._logs, 0)
        partitions = sorted({partition for _, partition in self._logs})
        self._used = {p: since.get(p, 0) for p in partitions}
        self._written = dict(self._used)
        self._log.ask(self._used, self._take)

    def begin(self) -> None:
        """Before anything of any log is fetched: take the recorded guesses of all parts of the process."""
        self._log.answer()

    def _take(self, recorded: list[Guess], written: dict[int, int]) -> None:
        self._written = written
        for guess in recorded:
            log = self._logs.get((guess.topic, guess.partition))
            if log is not None:
                self._latest_ns[guess.topic, guess.partition] = guess.time_ms * NS
                if guess.offset >= log.position:
                    log.mark(guess.offset, guess.time_ms * NS, guessed=True)

    def used(self) -> dict[int, int]:
        """By partition the next recorded guess that is not handed over: a reader that starts again begins there."""
        if not any(log.guessed for log in self._logs.values()):
            self._used = dict(self._written)
        return self._used

    def go_on(self) -> None:
        """Ask about logs that need it, and take what has been confirmed."""
        if self._recorded_only:
            return
        confirmed: list[Guess] = []
        for place, log in self._logs.items():
            if log.confirmed is not None:
                offset, time_ns = log.confirmed
                log.confirmed = None
                time_ms = min(time_ns, time.time_ns()) // NS
                if time_ms * NS > self._latest_ns[place]:
                    # behind all that is fetched: of marks in a row the last one is kept, at its own offset only
                    confirmed.append(Guess(*place, max(offset, log.fetched), time_ms))
            elif log.asked_ns is None and log.at_end and self._wanted(place, log):
                self._reader.ask(log)
        if confirmed:
            self._log.write(confirmed)
        for guess in confirmed:
            place = guess.topic, guess.partition
            self._written[guess.partition] += 1
            self._latest_ns[place] = guess.time_ms * NS
            self._logs[place].mark(guess.offset, guess.time_ms * NS, guessed=True)

    def _wanted(self, place: tuple[str, int], log: Log) -> bool:
        newest = self._reader.newest_ns
        marked = log.marked_ns is not None and newest - log.marked_ns < WITHOUT_MARKS_MS * NS
        return not marked and newest - self._latest_ns[place] >= EVERY_MS * NS
