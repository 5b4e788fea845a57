"""Apache Kafka as a managed one is reached: TLS and SASL, beside the open port by which the tests themselves ask it."""

import datetime
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.services.backend import free_ports
from tests.services.kafka_kraft.broker import KraftBroker

USER, PASSWORD = "alice", "open-sesame-9c1"
UNSECURED = (
    "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
)
MECHANISMS = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"


class Certificates:
    """An authority, a certificate of its for this machine, and one that has expired, as files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))
        self.stranger_file = folder / "stranger.pem"
        trustme.CA().cert_pem.write_to_path(str(self.stranger_file))
        self.valid = folder / "valid.pem"
        self.expired = folder / "expired.pem"
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        for path, until in ((self.valid, None), (self.expired, past)):
            made = self.authority.issue_cert("127.0.0.1", "localhost", not_after=until)
            key = load_pem_private_key(made.private_key_pem.bytes(), None)
            # Java reads keys in this form only
            written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            path.write_bytes(written + b"".join(pem.bytes() for pem in made.cert_chain_pems))


class SecuredKraft(KraftBroker):
    """Three doors more: with a valid certificate, with an expired one, and encrypted without a login."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        super().__init__(folder)
        self.certificates = certificates
        self.sasl_port, self.expired_port, self.ssl_port = free_ports(3)

    def format_arguments(self) -> list[str]:
        return [
            argument
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for argument in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
        ]

    def properties(self) -> str:
        doors = {"SECURED": self.sasl_port, "EXPIRED": self.expired_port, "ENCRYPTED": self.ssl_port}
        protocols = {"SECURED": "SASL_SSL", "EXPIRED": "SASL_SSL", "ENCRYPTED": "SSL"}
        lines = []
        for line in super().properties().splitlines():
            name, _, value = line.partition("=")
            if name in ("listeners", "advertised.listeners"):
                value += "".join(f",{door}://127.0.0.1:{port}" for door, port in doors.items())
            if name == "listener.security.protocol.map":
                value += "".join(f",{door}:{protocol}" for door, protocol in protocols.items())
            lines.append(f"{name}={value}")
        lines.append("inter.broker.listener.name=PLAINTEXT")
        plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        token = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";"  # fmt: skip
        for door in doors:
            at = f"listener.name.{door.lower()}"
            file = self.certificates.expired if door == "EXPIRED" else self.certificates.valid
            lines += [f"{at}.ssl.keystore.type=PEM", f"{at}.ssl.keystore.location={file}"]
            if protocols[door] == "SASL_SSL":
                lines += [
                    f"{at}.sasl.enabled.mechanisms={MECHANISMS}",
                    f"{at}.plain.sasl.jaas.config={plain}",
                    f"{at}.scram-sha-256.sasl.jaas.config={scram}",
                    f"{at}.scram-sha-512.sasl.jaas.config={scram}",
                    f"{at}.oauthbearer.sasl.jaas.config={token}",
                    f"{at}.oauthbearer.sasl.server.callback.handler.class={UNSECURED}",
                ]
        return "\n".join(lines) + "\n"
