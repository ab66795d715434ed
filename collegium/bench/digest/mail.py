"""A digest as e-mail, sent by SMTP: to all who are named, or to nobody.

A server that refuses one recipient gets no message at all, so that a digest is never told to some
and then, on the next try, to some of them again. Passwords go over TLS alone (or to this machine),
and no message of ours holds one.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal, NoReturn

from collegium.bench.digest.news import Digest, clean
from collegium.bench.digest.write import page, text
from collegium.errors import BadInput, CollegiumError

Security = Literal["none", "starttls", "tls"]

SECONDS = 30.0
"""How long to wait for a server."""

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


class NotDelivered(CollegiumError):
    """A digest could not be sent; nobody got it, as far as the server says."""


class Mailbox:
    """The server that mail is given to.

    Args:
        host: Its name or address.
        port: Its port.
        security: "none", "starttls" (TLS is asked for, and insisted on) or "tls" from the start.
        user: Who logs in; "" for nobody.
        password: The password.

    Raises:
        BadInput: A password without a user or the other way round, one that cannot be sent, or
            that would be sent in the clear.
    """

    def __init__(
        self, host: str, port: int, security: Security = "none", user: str = "", password: str = ""
    ) -> None:
        if bool(user) != bool(password):
            raise BadInput("a user and a password go together: --user and --password-file.")
        if not (user + password).isascii() or not (user + password).isprintable():
            raise BadInput("the user and the password may have printable ASCII characters alone.")
        if password and security == "none" and not _here(host):
            raise BadInput(
                f"the password would go to {host} in the clear; add --starttls or --tls."
            )
        self.host, self.port, self.security, self.user = host, port, security, user
        self._password = password

    def __repr__(self) -> str:
        return f"Mailbox({self.host!r}, {self.port}, {self.security!r}, {self.user!r})"

    def open(self, seconds: float) -> smtplib.SMTP:
        """Connect and log in.

        Raises:
            NotDelivered: It cannot be reached, has no TLS, or refuses.
        """
        try:
            # Names and certificates are checked; SSL_CERT_FILE names further authorities.
            context = ssl.create_default_context()
            if self.security == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, self.port, timeout=seconds, context=context
                )
            else:
                server = smtplib.SMTP(self.host, self.port, timeout=seconds)
        except (OSError, UnicodeError) as error:
            self.failed("cannot be reached", error)
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                server.starttls(context=context)
                server.ehlo_or_helo_if_needed()
        except OSError as error:
            server.close()
            self.failed("does not go on with TLS" * (self.security != "none") or "fails", error)
        try:
            if self.user:
                server.login(self.user, self._password)
        except OSError as error:
            server.close()
            self.failed(f"does not let {self.user!r} log in", error)
        return server

    def failed(self, what: str, error: object) -> NoReturn:
        """Raise what went wrong, in a sentence without a secret."""
        if isinstance(error, smtplib.SMTPResponseException):
            said = f"{error.smtp_code} {_decoded(error.smtp_error)}"
        elif isinstance(error, ssl.SSLError):
            said = getattr(error, "verify_message", "") or error.reason or "TLS failed"
        else:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        said = self._without_secrets(clean(said, 200).rstrip(". "))
        raise NotDelivered(
            f"the mail server {self.host}:{self.port} {what}: {said}; nothing was sent."
        ) from None

    def _without_secrets(self, said: str) -> str:
        """What a server said, even if it repeats what it was told."""
        if not self._password:
            return said
        forms = [self._password, *(
            base64.b64encode(form.encode()).decode()
            for form in (self._password, f"\0{self.user}\0{self._password}")
        )]  # fmt: skip
        for form in forms:
            said = said.replace(form, "***")
        return said


def require_address(address: str) -> str:
    """An address of e-mail, checked: ``name@host`` and nothing else.

    Raises:
        BadInput: It is not that.
    """
    too_long = len(address) > 254 or len(address.partition("@")[0]) > 64
    if too_long or not _ADDRESS.fullmatch(address):
        raise BadInput(f"{clean(address, 80)!r} is no e-mail address; expected name@host.")
    return address


def compose(
    digest: Digest, sender: str, to: Sequence[str], *, now: datetime | None = None
) -> EmailMessage:
    """The digest as a message: text, and the same as HTML.

    Nothing that came from elsewhere gets into a header. The id of the message is that of the news,
    so a message that was sent twice can be known as one.

    Args:
        digest: What to tell.
        sender: From whom.
        to: To whom.
        now: The time.

    Raises:
        BadInput: There is nobody to send it to, or one of the addresses is none.
    """
    if not to:
        raise BadInput("a mail needs somebody to go to: --to name@host.")
    recipients = list(dict.fromkeys(map(require_address, to)))
    message = EmailMessage(policy=SMTP)
    message["Subject"] = f"collegium digest: {digest.heading}"
    message["From"] = require_address(sender)
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(now or datetime.now(UTC))
    message["Message-ID"] = f"<digest.{digest.key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(digest), cte="quoted-printable")
    message.add_alternative(page(digest), subtype="html", cte="quoted-printable")
    return message


def send(
    message: EmailMessage,
    mailbox: Mailbox,
    sender: str,
    to: Sequence[str],
    *,
    seconds: float = SECONDS,
) -> None:
    """Give a message to a server, for all recipients or for none.

    Args:
        message: The message.
        mailbox: The server.
        sender: From whom.
        to: To whom.
        seconds: How long to wait for each answer.

    Raises:
        NotDelivered: The server cannot be reached or refuses something.
    """
    recipients = list(dict.fromkeys(map(require_address, to)))
    server = mailbox.open(seconds)
    try:
        what = f"refuses mail from {sender}"
        try:
            _accepted(server.mail(require_address(sender)))
            for recipient in recipients:
                what = f"refuses mail to {recipient}"
                _accepted(server.rcpt(recipient))
            what = "refuses the message"
            _accepted(server.data(message.as_bytes()))
        except OSError as error:
            mailbox.failed(what, error)
        with suppress(OSError):  # it has the message
            server.quit()
    finally:
        server.close()


def _accepted(answer: tuple[int, bytes]) -> None:
    code, said = answer
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, said)


def _decoded(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _here(host: str) -> bool:
    """Whether a server is on this machine."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
