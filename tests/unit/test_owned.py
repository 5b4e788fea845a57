"""A recovery directory that somebody else could have written is not read; runs keep apart on services of others."""

import os

import pytest

from flows.commands.apart import apart, make_database
from flows.engine.runner import CRASHES_BYTES, _panics_into
from flows.recovery.directory import Recovery
from flows.refusal import Refused
from flows.settings.sources import load


def test_a_new_directory_is_its_owners_alone_and_opens_again(tmp_path):
    Recovery(tmp_path / "deep" / "r").close()
    assert (tmp_path / "deep" / "r").stat().st_mode & 0o077 == 0
    Recovery(tmp_path / "deep" / "r").close()


def test_the_log_of_a_crash_is_its_owners_alone_and_nothing_to_run(tmp_path):
    with _panics_into(tmp_path / "crash.log"):
        pass
    assert (tmp_path / "crash.log").stat().st_mode & 0o777 == 0o600


def test_the_log_of_a_crash_outlives_the_starts_that_follow_it_and_does_not_grow_for_ever(tmp_path):
    """Each start emptied it: of a flow that was started again by itself nobody could read why it had ended."""
    log = tmp_path / "crash.log"
    log.write_text("why it ended\n")
    with _panics_into(log):
        os.write(2, b"a panic\n")
    assert log.read_text() == "why it ended\na panic\n"
    log.write_bytes(bytes(CRASHES_BYTES + 1))
    with _panics_into(log):
        pass
    assert log.stat().st_size == 0
    assert (tmp_path / "crash.log.1").stat().st_size == CRASHES_BYTES + 1


@pytest.mark.parametrize("name", ["part-0.sqlite3", "manifest.json", "."])
def test_state_that_others_can_write_is_refused_in_one_line_before_it_is_read(tmp_path, name):
    Recovery(tmp_path / "r").close()
    spoilt = tmp_path / "r" / name
    spoilt.chmod(spoilt.stat().st_mode | 0o020)
    with pytest.raises(Refused, match="can be written by others"):
        Recovery(tmp_path / "r")


def test_state_of_another_user_or_behind_a_link_is_refused(tmp_path):
    Recovery(tmp_path / "r").close()
    part = tmp_path / "r" / "part-0.sqlite3"
    part.rename(tmp_path / "elsewhere")
    part.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="is a link"):
        Recovery(tmp_path / "r")
    part.unlink()
    (tmp_path / "elsewhere").rename(part)
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to somebody else")
    os.chown(part, 65534, 65534)
    with pytest.raises(Refused, match="belongs to user 65534"):
        Recovery(tmp_path / "r")


def test_runs_on_services_of_others_have_topics_and_tables_of_their_own(monkeypatch):
    told = load(None, {}, ["kafka.brokers=b:9092", "clickhouse.url=http://c:8123", "clickhouse.database=prod"])
    run = apart(told, "replay-1a")
    assert (run.kafka.prefix, run.clickhouse.database) == ("replay-1a.", "prod_replay_1a")
    asked = []

    class Server:
        def __init__(self, database):
            self.database = database

        def command(self, sql):
            asked.append((self.database, sql))

        def close(self):
            pass

    monkeypatch.setattr("flows.commands.apart.connect", lambda clickhouse: Server(clickhouse.database))
    make_database(run.clickhouse, "prod")
    make_database(told.clickhouse, "prod")
    assert asked == [("prod", "CREATE DATABASE IF NOT EXISTS `prod_replay_1a`")]
