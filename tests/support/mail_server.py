"""A mail server of a test: a real one, on the loop of the test, that says what the test wants to hear."""

from __future__ import annotations

import asyncio
import email
import email.policy
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.certificates import Certificates

USER, PASSWORD = "onboarding", "a-password-of-a-test"


@dataclass
class MailServer:
    """What came, and what is said to whoever comes."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    connections: int = 0
    """How often somebody said hello."""
    says: dict[str, str] = field(default_factory=dict)
    """By command (`MAIL`, `RCPT`, `DATA`): another answer than yes."""
    waits: float = 0.0
    """Seconds before the end of a mail is answered."""
    drops: bool = False
    """Hangs up instead of answering the end of a mail."""
    sleeps: bool = False
    """Says nothing any more on connections that were used before."""

    async def handle_EHLO(  # noqa: N802 - as the library calls it
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_NOOP(self, server: SMTP, session: Session, envelope: Envelope, arg: str) -> str:  # noqa: N802 - as the library calls it
        if self.sleeps:
            await asyncio.sleep(60)
        return "250 still here"

    async def handle_MAIL(  # noqa: N802 - as the library calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.says:
            return self.says["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - as the library calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.says:
            return self.says["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as the library calls it
        if self.waits:
            await asyncio.sleep(self.waits)
        if self.drops:
            server.transport.close()
            return "421 bye"
        if "DATA" in self.says:
            return self.says["DATA"]
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        return "250 taken"


def _login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=good)


@asynccontextmanager
async def mail_server(
    security: str = "none", certificates: Certificates | None = None, *, login: bool = False
) -> AsyncIterator[MailServer]:
    """One that listens on this machine until the test is over; `security` as a channel says it."""
    found = MailServer()
    loop = asyncio.get_running_loop()
    context = certificates.for_server() if certificates else None

    def one() -> SMTP:
        # A server that is spoken to in TLS from the first byte does not know that it is, and warns of logins without.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return made()

    def made() -> SMTP:
        return SMTP(
            found,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            authenticator=_login,
            auth_required=login,
            auth_require_tls=security == "starttls",
            loop=loop,
        )

    server = await loop.create_server(one, "127.0.0.1", 0, ssl=context if security == "tls" else None)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
