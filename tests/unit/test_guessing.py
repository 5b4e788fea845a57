"""Guesses: what a reader judged of a log and wrote down is judged again at the same place, however a replay reads."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.kafka.guessing import NS, Foreign, Guessing
from flows.kafka.log import Log, chunk
from operators.watermark import Clock, assign, by_guess, pass_marks

TOPIC = "accounts"


class Written:
    """Guesses, kept in the order in which they were written."""

    def __init__(self, recorded=()):
        self.guesses = list(recorded)

    def write(self, guesses):
        self.guesses += guesses

    def ask(self, since, taken):
        taken(list(self.guesses), {p: 0 for p in since})


class Reading:
    """A log being read into a clock of milliseconds."""

    def __init__(self, recorded=()):
        self.written = Written(recorded)
        self.log = Log(TOPIC, 0, 0, 0)
        self.guessing = Guessing(Foreign((TOPIC,), self.written), None, {TOPIC: self.log}, {})  # type: ignore[arg-type]
        self.guessing._wanted = lambda place, log: False  # type: ignore[method-assign]
        self.clock, self.late = Clock(NS, 0, 1 << 62), {}

    def fetch(self, offset, kind, ms):
        if kind == "mark":
            self.log.mark(offset, ms * NS)
        else:
            self.log.add(chunk([str(ms).encode()], [offset], [ms], {}))

    def confirm(self, end, ms):
        self.log.confirmed = end, ms * NS
        self.guessing.go_on()

    def take(self, frames):
        got = self.log.take(None, frames, 1 << 30)
        if got is None:
            return
        event_ns = np.array([int(got.frame(i)) * NS for i in range(len(got))], np.int64)
        rows = np.arange(len(got), dtype=np.int32)
        assigned = assign(self.clock, event_ns, got.received_ns, rows, got.marks)
        pass_marks(self.clock, got.marks)
        self.late |= dict(zip(got.offsets.tolist(), assigned.late.tolist(), strict=True))

    def end(self):
        while self.log.head_ns is not None or self.log.marked:
            self.take(100)
        panes = np.arange(-1, 200)
        return self.clock.closed, by_guess(self.clock, panes).tolist(), self.late


messages = st.tuples(st.sampled_from(["mark", "mark", "row"]), st.integers(0, 3))
turns = st.one_of(
    messages,
    st.tuples(st.just("take"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["ask", "told"]), st.integers(0, 9)),
)


@settings(max_examples=400, deadline=None)
@example([("mark", 1), ("ask", 5), ("mark", 3), ("told", 0)], [])
@given(st.lists(turns, max_size=30), st.lists(st.integers(0, 4), max_size=30))
def test_a_replay_of_the_recorded_guesses_closes_the_same_by_the_same(script, pauses):
    live, log, now, asked = Reading(), [], 1, None
    for kind, n in script:
        if kind in ("mark", "row"):
            now += n
            log.append((kind, now))
            live.fetch(len(log) - 1, kind, now)
        elif kind == "take":
            live.take(n)
        elif kind == "ask":
            asked = live.log.fetched, now + n
        elif asked is not None:
            live.confirm(*asked)
            asked = None
    again = Reading(live.written.guesses)
    for offset, (kind, ms) in enumerate(log):
        again.fetch(offset, kind, ms)
        if offset < len(pauses) and pauses[offset]:
            again.take(pauses[offset])
    assert again.end() == live.end()
