"""A real mail server on this machine, with logging in and TLS, that keeps what it is given."""

import contextlib
import datetime
import ipaddress
import socket
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "reader", "correct horse battery"


class Kept:
    """What a server has accepted; it refuses recipients whose names begin with "no"."""

    def __init__(self, say=None):
        self.letters = []
        self.logins = []
        self.say = say or {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("no"):
            return "550 5.1.1 nobody of that name lives here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if "DATA" in self.say:
            return self.say["DATA"]
        self.letters.append(envelope)
        return "250 OK"

    def login(self, server, session, envelope, mechanism, data):
        self.logins.append((mechanism, session.ssl is not None))
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        if not good and "AUTH" in self.say:
            return AuthResult(success=False, handled=False, message=self.say["AUTH"])
        return AuthResult(success=good, handled=False)


@contextlib.contextmanager
def mail_server(kept, *, tls=None, starttls=None, logins=False):
    """Runs a server in a thread of its own; gives its port.

    ``tls`` is a context for TLS from the start, ``starttls`` one to be asked for.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"hostname": "127.0.0.1", "port": port, "ssl_context": tls}
    if logins:
        options |= {"authenticator": kept.login, "auth_required": True,
                    "auth_require_tls": starttls is not None}  # fmt: skip
    controller = Controller(kept, tls_context=starttls, server_hostname="mail.test", **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def certificate(folder, host="127.0.0.1"):
    """A certificate that signs itself: the server's context, and the file that clients trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted
