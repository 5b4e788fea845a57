"""Marks of a writer: often where records come; elsewhere when they let readers close a pane, once a second at least."""

from flows.kafka.partitioner import partition_of
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.written_marks import QUIET_MS, Marks
from flows.settings.tree import Windows

T0 = 1_700_000_000_000


class Noted(Publisher):
    """Takes what is published and sends nothing."""

    def __init__(self) -> None:
        self.marks: list[tuple[str, int | None, int]] = []

    def publish(self, topic, key, value, timestamp_ms=None, symbol=None, partition=None, hole=None) -> None:
        self.marks.append((topic, partition, timestamp_ms - T0))

    def taken(self, topic: str, partition: int) -> list[int]:
        return [ms for t, p, ms in self.marks if (t, p) == (topic, partition)]


def test_a_partition_without_records_is_marked_when_a_pane_can_close_and_one_with_records_often_besides():
    noted = Noted()
    marks = Marks(noted, ["a", "b"], 2, 100, Windows(base_ms=1_000, lateness_ms=500))
    busy = partition_of(b"BTC", 2)
    for ms in range(0, 3_000, 50):
        marks.wrote(b"BTC", T0 + ms)
        marks.come_to(T0 + ms)
    for topic in ("a", "b"):
        assert noted.taken(topic, 1 - busy) == [0, 500, 1_500, 2_500], "a pane's end and the lateness have passed"
        assert noted.taken(topic, busy) == list(range(0, 3_000, 100))


def test_a_partition_is_quiet_again_when_nothing_has_come_for_long():
    noted = Noted()
    marks = Marks(noted, ["a"], 2, 100, Windows(base_ms=1_000, lateness_ms=0))
    marks.wrote(b"BTC", T0)
    for ms in range(0, QUIET_MS + 2_000, 100):
        marks.come_to(T0 + ms)
    seen = noted.taken("a", partition_of(b"BTC", 2))
    assert seen[: QUIET_MS // 100] == list(range(0, QUIET_MS, 100))
    assert seen[QUIET_MS // 100 :] == [QUIET_MS, QUIET_MS + 1_000]


def test_no_log_is_left_without_a_mark_for_longer_than_a_second_however_long_the_panes():
    noted = Noted()
    marks = Marks(noted, ["a"], 1, 100, Windows(base_ms=10_000, spans_ms=(10_000,), lateness_ms=700))
    for ms in range(0, 20_000, 10):
        marks.come_to(T0 + ms)
    seen = noted.taken("a", 0)
    assert max(b - a for a, b in zip(seen, seen[1:], strict=False)) == 1_000


def test_without_windows_all_partitions_are_marked_alike():
    noted = Noted()
    marks = Marks(noted, ["a"], 2, 1_000)
    for ms in range(0, 3_000, 250):
        marks.come_to(T0 + ms)
    assert noted.taken("a", 0) == noted.taken("a", 1) == [0, 1_000, 2_000]
