"""Certificate files: what a client library would trip over, or ask a terminal about, refused by the setting's name."""

import ssl
from functools import cache
from pathlib import Path

from flows.refusal import Refused
from flows.settings.secret import Secret


@cache
def refuse_unusable(section: str, ca_file: str, certificate_file: str, key_file: str, password: Secret) -> None:
    """Refused where a file that is named is not there, cannot be read, or is no certificate or not the key of one.

    What can be used is looked at once.
    """
    named = {"ca_file": ca_file, "certificate_file": certificate_file, "key_file": key_file}
    for name, file in named.items():
        if file and not Path(file).is_file():
            raise Refused(f"{section}.{name}: there is no file {file}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
    except OSError as error:
        raise Refused(f"{section}.ca_file: {ca_file} {_fault(error, 'holds no certificate in PEM')}") from None
    try:
        if certificate_file:
            context.load_cert_chain(certificate_file, key_file or None, password.reveal)
    except OSError as error:
        files = f"{certificate_file} with {key_file}" if key_file else certificate_file
        why = _fault(error, "is no certificate and its key in PEM, or the key is encrypted otherwise")
        raise Refused(f"{section}.certificate_file: {files} {why}") from None


def _fault(error: OSError, otherwise: str) -> str:
    if not isinstance(error, ssl.SSLError):
        return f"cannot be read: {error.strerror}"
    return "is of another key" if error.reason == "KEY_VALUES_MISMATCH" else otherwise
