"""Files of certificates that do not do: one line, for Kafka's clients and ClickHouse's alike."""

import re

import pytest
import trustme
from cryptography.hazmat.primitives import serialization as form

from flows.__main__ import main


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, authority = tmp_path_factory.mktemp("files"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("mine", "other"):
        made = authority.issue_cert(f"{name}.example")
        made.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        made.private_key_pem.write_to_path(folder / f"{name}.key")
    key = form.load_pem_private_key((folder / "mine.key").read_bytes(), None)
    locked = form.BestAvailableEncryption(b"open-77")
    (folder / "locked.key").write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, locked)
    )
    (folder / "no.pem").write_text("no certificate")
    return folder


KAFKA = ["kafka.brokers=127.0.0.1:1", "kafka.tls.on=true"]
STORE = ["clickhouse.url=https://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("command", "sets", "section"), [("topics", KAFKA, "kafka.tls"), ("migrate", STORE, "clickhouse")]
)
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"ca_file": "gone.pem"}, r"ca_file: there is no file \S+gone.pem"),
        ({"ca_file": "no.pem"}, r"ca_file: \S+no.pem holds no certificate in PEM"),
        ({"certificate_file": "mine.pem", "key_file": "other.key"}, r"certificate_file: .* is of another key"),
        ({"certificate_file": "mine.pem", "key_file": "locked.key"}, r"certificate_file: .* the key is encrypted"),
        ({"certificate_file": "no.pem", "key_file": "mine.key"}, r"certificate_file: .* is no certificate and its"),
    ],
    ids=str,
)
def test_a_file_that_is_no_certificate_or_not_its_key_is_one_line(
    files, command, sets, section, told, why, capsys, monkeypatch
):
    monkeypatch.setenv("ALPHAPLUS_KAFKA__TLS__KEY_PASSWORD", "guess-4411")
    sets = [*sets, *(f"{section}.{name}={files / file}" for name, file in told.items())]
    with pytest.raises(SystemExit) as ended:
        main([command, *(a for s in sets for a in ("--set", s))])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.count("\n") == 1
    assert "guess-4411" not in said
    assert re.match(rf"alphaplus: {section}.{why}", said), said
