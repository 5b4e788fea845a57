"""Marks of a derived topic: seldom, never before anything is known, and as much earlier as a table's rows come later."""

from flows.engine.outgoing import MarkTimes
from flows.kafka.written_marks import KEY


def test_a_flow_marks_its_topics_twice_a_second_of_event_time_at_most_and_each_by_when_its_rows_come():
    marks = MarkTimes(("features.book", "features.costs"), "p.", {"features.costs": 60_000})
    assert marks.come_to(None, 3) == []
    assert marks.come_to(0, 3) == [], "a record of time 0 would be stamped by the producer's clock"
    book, costs = marks.come_to(100_000, 3)
    assert (book.topic, book.partition, list(book.records), book.timestamps_ms) == (
        "p.features.book",
        3,
        [(KEY, None)],
        [100_000],
    )
    assert (costs.topic, costs.timestamps_ms) == ("p.features.costs", [40_000])
    assert marks.come_to(100_499, 3) == []
    assert marks.come_to(100_500, 3) != []
