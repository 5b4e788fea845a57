"""Behind real security: Apache Kafka with TLS and SASL, ClickHouse over https with a password, and every wrong key."""

import contextlib
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.clickhouse.client import StoreError, connect
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.reader import Kafka, Reader
from flows.kafka.topic_making import create_topics, end_offsets
from flows.refusal import Refused
from flows.settings.sources import load
from tests.faults.kills import SETS, disturbed
from tests.faults.replaying import differences, run, services, settings_for, simulated
from tests.services.embedded_store import EmbeddedStore
from tests.services.kafka_kraft.secured import PASSWORD, USER, Certificates, SecuredKraft
from tests.services.process import ROOT
from tests.services.tls_front import TlsFront
from tests.services.token_service import TokenService

pytestmark = pytest.mark.services

STORE_PASSWORD = "close-sesame-7f2"
SECRETS = {"ALPHAPLUS_KAFKA__SASL__PASSWORD": PASSWORD, "ALPHAPLUS_CLICKHOUSE__PASSWORD": STORE_PASSWORD}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(certificates, tmp_path_factory):
    if missing := SecuredKraft.missing():
        pytest.skip(f"Apache Kafka cannot run here: {missing}")
    broker = SecuredKraft(tmp_path_factory.mktemp("secured") / "kafka", certificates)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def plain_store(tmp_path_factory):
    store = EmbeddedStore(tmp_path_factory.mktemp("store"))
    if missing := store.missing():
        pytest.skip(f"no embedded store: {missing}; the extra `local` brings one")
    store.start()
    yield store
    store.stop()


@pytest.fixture(scope="module")
def front(certificates, plain_store):
    with TlsFront(plain_store, certificates.valid, "writer", STORE_PASSWORD) as at:
        yield at


def sets(broker, port=None, mechanism="SCRAM-SHA-512", ca_file=None):
    found = [f"kafka.brokers=127.0.0.1:{port or broker.sasl_port}", "kafka.tls.on=true"]
    found.append(f"kafka.tls.ca_file={ca_file or broker.certificates.ca_file}")
    return [*found, f"kafka.sasl.mechanism={mechanism}", f"kafka.sasl.user={USER}"] if mechanism else found


def store_sets(front, certificates):
    return ["clickhouse.user=writer", f"clickhouse.ca_file={certificates.ca_file}", f"clickhouse.url={front.url}"]


@pytest.fixture
def line(capsys, monkeypatch):
    """The one line with which a command refuses."""

    def refused(*arguments, password=PASSWORD, code=2):
        monkeypatch.setenv("ALPHAPLUS_KAFKA__SASL__PASSWORD", password)
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out = capsys.readouterr()
        assert caught.value.code == code, out.err
        assert out.out == ""
        assert out.err.count("\n") == 1
        assert password not in out.err
        return out.err.strip()

    return refused


def arguments(of):
    return [a for s in of for a in ("--set", s)]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_what_is_written_through_each_kind_of_login_is_there(secured, topic_name, mechanism):
    kafka = load(None, SECRETS, [*sets(secured, mechanism=mechanism), "kafka.compression=zstd", "kafka.rack=b"]).kafka
    topic = topic_name("secured")
    create_topics(kafka, [topic], 1)
    publisher = Publisher(kafka)
    publisher.publish(topic, b"k", b"v")
    publisher.flush()
    assert end_offsets(kafka, topic) == [1]
    reader = Reader(Kafka(kafka), (topic,), 1)
    (log,) = reader.add(0, None).values()
    until = time.monotonic() + 20
    while log.head_ns is None and time.monotonic() < until:
        reader.pump()
    taken = log.take(None, 10, 1_000)
    reader.close()
    assert taken is not None
    assert taken.data == b"v"


def test_a_token_is_asked_for_with_client_id_and_secret(secured, topic_name):
    topic = topic_name("token")
    with TokenService(USER, PASSWORD) as tokens:
        more = [f"kafka.sasl.token_url={tokens.url}", "kafka.sasl.scope=kafka"]
        kafka = load(None, SECRETS, [*sets(secured, mechanism="OAUTHBEARER"), *more]).kafka
        create_topics(kafka, [topic], 1)
        publisher = Publisher(kafka)
        publisher.publish(topic, b"k", b"v")
        publisher.flush()
        assert end_offsets(kafka, topic) == [1]
        wrong = load(
            None, {"ALPHAPLUS_KAFKA__SASL__PASSWORD": "guess"}, [*sets(secured, mechanism="OAUTHBEARER"), *more]
        )
        with pytest.raises(Refused, match=r"refuses the login: .*invalid_client|refuses the login: .*401"):
            create_topics(wrong.kafka, [topic], 1, timeout_s=15)


def test_encryption_without_a_login_is_a_door_too(secured, topic_name):
    kafka = load(None, {}, sets(secured, secured.ssl_port, mechanism="")).kafka
    create_topics(kafka, [topic_name("encrypted")], 1)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password_is_one_line_that_names_the_setting(secured, line, mechanism):
    said = line("topics", *arguments(sets(secured, mechanism=mechanism)), password="guess-4411")
    assert said.startswith(f"alphaplus: 127.0.0.1:{secured.sasl_port} refuses the login: SASL authentication error: ")
    assert said.endswith("(see kafka.sasl)")


def test_an_expired_certificate_is_one_line_that_says_so(secured, line):
    said = line("topics", *arguments(sets(secured, secured.expired_port)))
    assert said.endswith("its certificate is not accepted: certificate has expired (see kafka.tls.ca_file)")


def test_an_authority_that_is_not_known_is_one_line_that_names_the_setting(secured, line):
    said = line("topics", *arguments(sets(secured, ca_file=secured.certificates.stranger_file)))
    assert said.endswith(
        "its certificate is not accepted: unable to get local issuer certificate (see kafka.tls.ca_file)"
    )


def test_an_authority_file_that_is_not_there_is_named(secured, line):
    said = line("topics", *arguments(sets(secured, ca_file="/nowhere/ca.pem")))
    assert said == "alphaplus: kafka.tls.ca_file: there is no file /nowhere/ca.pem"


def test_a_flow_with_a_wrong_password_ends_at_once_with_its_one_line(secured, tmp_path):
    password = "guess-4411"
    flow = [sys.executable, "-m", "flows", "run", "market", *arguments(sets(secured)), "--data", str(tmp_path)]
    environ = {**os.environ, "ALPHAPLUS_KAFKA__SASL__PASSWORD": password}
    ended = subprocess.run(flow, capture_output=True, text=True, check=False, timeout=120, env=environ, cwd=ROOT)
    assert ended.returncode == 2
    where = f"market: 127.0.0.1:{secured.sasl_port} refuses the login: "
    assert [said for said in ended.stderr.splitlines() if said.startswith(where)] == ended.stderr.splitlines()
    kept = [*tmp_path.rglob("crash.log")]
    assert kept
    assert password not in ended.stderr + "".join(file.read_text() for file in kept)


def test_a_store_behind_https_takes_blocks_once(front, certificates):
    client = connect(load(None, SECRETS, store_sets(front, certificates)).clickhouse)
    client.command(
        "CREATE TABLE https (a Int64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    )
    for _ in range(2):
        client.insert_block("https", b'{"a":1}\n{"a":2}\n', "token")
    assert client.rows("SELECT a FROM https ORDER BY a") == [(1,), (2,)]
    client.command("DROP TABLE https")


def test_a_wrong_password_of_the_store_is_one_line(front, certificates):
    wrong = {"ALPHAPLUS_CLICKHOUSE__PASSWORD": "guess-4411"}
    with pytest.raises(StoreError, match="Authentication failed: password is incorrect") as caught:
        connect(load(None, wrong, store_sets(front, certificates)).clickhouse)
    assert caught.value.code == 516
    assert "\n" not in str(caught.value)
    assert "guess-4411" not in str(caught.value)


@pytest.mark.parametrize(
    ("certificate", "authority", "why"),
    [
        ("expired", "ca_file", "certificate has expired"),
        ("valid", "stranger_file", "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_of_the_store_that_does_not_do_is_one_line_at_once(
    certificates, plain_store, certificate, authority, why
):
    with TlsFront(plain_store, getattr(certificates, certificate), "writer", STORE_PASSWORD) as at:
        told = load(
            None, SECRETS, [*store_sets(at, certificates), f"clickhouse.ca_file={getattr(certificates, authority)}"]
        )
        began = time.monotonic()
        with pytest.raises(StoreError) as caught:
            connect(told.clickhouse).insert_block("any", b"{}", "token")
    assert str(caught.value) == f"ClickHouse's certificate is not accepted: {why} (see clickhouse.ca_file)"
    assert time.monotonic() - began < told.clickhouse.retry_s / 10


class Eyes:
    """What anybody on this machine sees while flows run: the arguments of every process."""

    def __init__(self):
        self.seen = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._over.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    self.seen.add(file.read_bytes())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._thread.join()


def test_kills_behind_tls_and_passwords_leave_the_rows_of_an_undisturbed_run_and_no_secret_in_sight(
    secured, front, plain_store, certificates, tmp_path
):
    items = simulated(seconds=10, disturbed=True)
    with services(
        tmp_path / "open", secured.bootstrap, f"http://127.0.0.1:{plain_store.port}", plain_store.sets
    ) as session:
        expected = run(settings_for(session.settings, SETS), items)
    more = [*sets(secured)[1:], *store_sets(front, certificates)[:2]]
    brokers = f"127.0.0.1:{secured.sasl_port}"
    with Eyes() as eyes, services(tmp_path / "secured", brokers, front.url, more, SECRETS) as session:
        found, killer = disturbed(settings_for(session.settings, SETS), items, ["market", "archive"], 2, seed=5)
    assert killer.done >= 1, "nothing was killed: no test"
    assert differences(expected, found) == []
    assert any(b"flows" in line and b"market" in line for line in eyes.seen), "no flow was seen: no test"
    for secret in (PASSWORD.encode(), STORE_PASSWORD.encode()):
        started_by_us = [line for line in eyes.seen if b"StorageTool" not in line]
        assert [line for line in started_by_us if secret in line] == []
        files = [f for f in (tmp_path / "secured").rglob("*") if stat.S_ISREG(f.lstat().st_mode)]
        assert any(f.name == "settings.json" for f in files)
        assert [str(f) for f in files if secret in f.read_bytes()] == []
