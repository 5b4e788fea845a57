"""Two archives of one share, and one that lost its recovery directory: one line, and no row is stored twice."""

import shutil
import signal
import time
from pathlib import Path

from flows.engine.runner import REFUSED
from tests.services.flow_processes import wait_until
from tests.services.test_archive_refusals import WAIT_S, Place, ended, place, stopped_at_the_end

__all__ = ["place"]
LEASE = {"clickhouse.lease_s": 3}


def unique(place: Place) -> int:
    return int(str(place.clickhouse.rows("SELECT count() FROM features_book FINAL")[0][0]))


def elsewhere(place: Place, name: str) -> Path:
    """Where an archive begins that does not have the recovery directory of the others."""
    place.folder = place.folder.parent / f"{place.folder.name}-{name}"
    return place.folder


def test_a_second_archive_of_a_share_is_refused_in_one_line_while_the_first_lives(place: Place) -> None:
    first = place.archive()
    place.publish(0, 40)
    wait_until(lambda: place.rows() == 40, WAIT_S)
    elsewhere(place, "second")
    code, said = ended(place.archive())
    assert code == REFUSED and said.count("\n") == 1, said
    assert said.startswith("archive: ") and f", process {first.pid}, heard of " in said
    assert said.endswith(" s ago: one archive a share; end that one, or wait 30 s if it is gone\n")
    place.publish(40, 40)
    wait_until(lambda: place.rows() == 80, WAIT_S)
    assert first.poll() is None


def test_an_archive_that_lost_its_recovery_directory_stores_nothing_twice(place: Place) -> None:
    for kill in range(3):
        process = place.archive(**LEASE, **{"clickhouse.block_rows": 7})
        place.publish(60 * kill, 60)
        wait_until(lambda n=60 * kill: place.rows() > n, WAIT_S)
        process.send_signal(signal.SIGKILL)
        _, said = ended(process)
        assert ("goes on where" in said) == (kill > 0), said
        shutil.rmtree(place.folder / "recovery")
        time.sleep(LEASE["clickhouse.lease_s"] + 0.5)
    with stopped_at_the_end(place.archive(**LEASE)):
        wait_until(lambda: unique(place) == 180, WAIT_S)
    assert place.rows() == 180


def test_one_that_was_stopped_in_good_order_need_not_be_waited_for(place: Place) -> None:
    place.publish(0, 40)
    with stopped_at_the_end(place.archive()):
        wait_until(lambda: place.rows() == 40, WAIT_S)
    elsewhere(place, "second")
    place.publish(40, 40)
    with stopped_at_the_end(place.archive()):
        wait_until(lambda: place.rows() >= 80, WAIT_S)
    assert place.rows() == 80


def test_an_archive_that_was_frozen_while_another_took_over_ends_with_one_line(place: Place) -> None:
    first = place.archive(**LEASE)
    place.publish(0, 40)
    wait_until(lambda: place.rows() == 40, WAIT_S)
    first.send_signal(signal.SIGSTOP)
    time.sleep(LEASE["clickhouse.lease_s"] + 0.5)
    elsewhere(place, "second")
    with stopped_at_the_end(second := place.archive(**LEASE)):
        place.publish(40, 40)
        wait_until(lambda: place.rows() == 80, WAIT_S)
        first.send_signal(signal.SIGCONT)
        code, said = ended(first)
        assert code == REFUSED and said.count("\n") == 1, said
        assert said.endswith(f", process {second.pid} now: one archive a share\n"), said
        place.publish(80, 40)
        wait_until(lambda: unique(place) == 120, WAIT_S)
    assert place.rows() == 120


def test_a_recovery_directory_that_another_has_gone_on_without_is_refused(place: Place) -> None:
    first = place.folder
    place.publish(0, 40)
    with stopped_at_the_end(place.archive()):
        wait_until(lambda: place.rows() == 40, WAIT_S)
    elsewhere(place, "second")
    with stopped_at_the_end(place.archive()):
        place.publish(40, 40)
        wait_until(lambda: place.rows() == 80, WAIT_S)
    place.folder = first
    code, said = ended(place.archive())
    assert code == REFUSED and said.count("\n") == 1
    assert said.endswith(" since this recovery directory was written: start with that one's, or with a new one\n")


def test_another_share_goes_on_where_one_was_stopped_in_good_order_and_not_where_it_crashed(place: Place) -> None:
    half = {**LEASE, "share.count": 2}
    place.publish(0, 40)
    with stopped_at_the_end(place.archive(**LEASE)):
        wait_until(lambda: place.rows() == 40, WAIT_S)
    elsewhere(place, "half")
    place.publish(40, 40)
    with stopped_at_the_end(place.archive(**half)):
        wait_until(lambda: place.rows() >= 60, WAIT_S)
    assert (place.rows(), unique(place)) == (60, 60)
    place.clickhouse.command(
        "INSERT INTO archive_leases SELECT topic, partition, topic_id, turn + 1, run_id, 'crashed', 'there', series,"
        " [cuts[1], cuts[1] + 1, cuts[1] + 1], held, now64(3) FROM archive_leases FINAL"
        f" WHERE topic = '{place.name}.features.book'"
    )
    elsewhere(place, "other")
    code, said = ended(place.archive(**half))
    assert code == REFUSED and said.count("\n") == 1, said
    assert said.startswith(f"archive: {place.name}.features.book[1] was being stored by there together with logs of")
