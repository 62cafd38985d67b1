"""Mail by SMTP. The server's words are never kept: only what they mean, as a code of ours."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import aiosmtplib
from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from pydantic import SecretStr

from integrations.addresses import TRY_SECONDS, Network, allowed_addresses
from integrations.channels.mail_text import Sender, address_of, mail_of
from integrations.letters import Letter, NotTaken, Postponed

IDLE_SECONDS: Final = 20.0
"""After which a connection is not used again: servers close theirs after half a minute and more."""
NOOP_SECONDS: Final = 2.0
"""For a connection that was used before to say that it is still there: what is left of a try is for a new one."""
LETTERS_EACH: Final = 50
"""Over one connection; servers that count stop at a hundred."""

Security = Literal["tls", "starttls", "none"]

# The codes of RFC 3463, where a server gives one; they say more than the three digits before them.
_ENHANCED: Final = re.compile(r"\b[45]\.(\d{1,3})\.(\d{1,3})\b")
_BY_ENHANCED: Final = {
    "1.1": "mailbox_unavailable", "1.2": "address_refused", "1.3": "address_refused", "1.6": "mailbox_unavailable",
    "1.10": "mailbox_unavailable", "2.1": "mailbox_unavailable", "2.2": "mailbox_full", "2.3": "letter_too_large",
    "3.4": "letter_too_large", "7.1": "not_allowed",
}  # fmt: skip
# Of a server that takes nothing from strangers, or nothing without TLS, and says so only when a letter comes.
_OF_THE_LOGIN: Final = frozenset((530, 534, 535, 538))
_BY_CODE: Final = {
    501: "address_refused", 550: "mailbox_unavailable", 551: "mailbox_unavailable", 552: "mailbox_full", 553: "address_refused",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mails are handed over. `security` none is for a server of one's own network."""

    host: str
    port: int
    security: Security = "tls"
    user: str = ""
    password: SecretStr | None = None
    seconds: float = 10.0
    """For one letter as a whole, with its connection."""


@dataclass(slots=True)
class _Line:
    """One connection, and what it was used for."""

    smtp: SMTP
    used: float
    letters: int = 0


class MailChannel:
    """Fulfils `Channel`. Letters in flight at the same time have a connection each; one that is free is used again for a while."""

    sort = "mail"

    def __init__(
        self,
        name: str,
        server: Server,
        sender: Sender,
        *,
        inside: Sequence[Network] = (),
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`inside`: networks that this installation has opened; `trust`: whose certificates are believed."""
        self.name = name
        self._server = server
        self._sender = sender
        self._inside = inside
        self._trust = trust or ssl.create_default_context()
        self._free: list[_Line] = []

    async def send(self, letter: Letter) -> None:
        """Hands over one mail. Raises `Postponed` for what concerns the server or the moment, `NotTaken` for what concerns this letter."""
        to = address_of(letter.reader.addresses.get(self.sort, ""))
        content = mail_of(letter, to, self._sender, datetime.now(UTC)).as_bytes()
        with _told():
            async with asyncio.timeout(self._server.seconds), self._line() as line:
                options = ["SMTPUTF8"] if not to.isascii() else []
                if options and not line.smtp.supports_extension("smtputf8"):
                    raise NotTaken("address_refused")
                await line.smtp.sendmail(self._sender.address, to, content, mail_options=options)

    async def hello(self) -> None:
        """Connects and logs in, and sends nothing. Raises as `send`."""
        with _told():
            async with asyncio.timeout(self._server.seconds), self._line() as line:
                await line.smtp.noop()

    async def close(self) -> None:
        """Says goodbye on every connection that is free."""
        while self._free:
            with contextlib.suppress(SMTPException, OSError):
                await self._free.pop().smtp.quit(timeout=1)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[_Line]:
        """A connection for one letter. It is kept only where the letter, or its refusal, left it in order."""
        line = await self._used_before() or _Line(await self._connected(), time.monotonic())
        keep = False
        try:
            yield line
            keep = True
        except (SMTPResponseException, SMTPRecipientsRefused, NotTaken):
            keep = line.smtp.is_connected
            raise
        finally:
            line.letters += 1
            line.used = time.monotonic()
            if keep and line.letters < LETTERS_EACH:
                self._free.append(line)
            else:
                line.smtp.close()

    async def _used_before(self) -> _Line | None:
        """One that still answers: a server that has hung up meanwhile must not cost a try."""
        while self._free:
            line = self._free.pop()
            if line.smtp.is_connected and time.monotonic() - line.used < IDLE_SECONDS:
                try:
                    with contextlib.suppress(SMTPException, OSError):
                        await line.smtp.noop(timeout=NOOP_SECONDS)
                        return line
                except BaseException:
                    line.smtp.close()
                    raise
            line.smtp.close()
        return None

    async def _connected(self) -> SMTP:
        server = self._server
        smtp = SMTP(
            hostname=server.host,
            sock=await _reach(server.host, server.port, self._inside),
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._trust,
            username=server.user or None,
            password=server.password.get_secret_value() if server.password else None,
            local_hostname=self._sender.domain,
            timeout=server.seconds,
        )
        await smtp.connect()
        try:
            if smtp.is_ehlo_or_helo_needed:
                await smtp.ehlo()
        except BaseException:
            smtp.close()
            raise
        return smtp


async def _reach(host: str, port: int, inside: Sequence[Network]) -> socket.socket:
    """A connection to one of the addresses of the host, each looked at before."""
    loop = asyncio.get_running_loop()
    for address in await allowed_addresses(host, port, inside):
        found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        found.setblocking(False)
        try:
            async with asyncio.timeout(TRY_SECONDS):
                await loop.sock_connect(found, (address, port))
            return found
        except OSError:  # a timeout is one
            found.close()
        except BaseException:
            found.close()
            raise
    raise Postponed("unreachable")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What the library raises, as what it means. Nothing that the server said stays in the exception."""
    try:
        yield
    except (NotTaken, Postponed):
        raise
    except ssl.SSLError:
        raise Postponed("certificate") from None
    except (SMTPException, OSError, ValueError, EOFError) as error:
        raise _meaning(error) from None


def _meaning(error: Exception) -> NotTaken | Postponed:
    match error:
        case SMTPAuthenticationError():
            return Postponed("login_refused")
        case SMTPRecipientsRefused():
            refused = error.recipients[0]
            return _of_refusal(refused.code, str(refused.message), "address_refused")
        case SMTPSenderRefused():
            return _of_refusal(error.code, "", "sender_refused")
        case SMTPDataError():
            return _of_refusal(error.code, str(error.message), "content_refused")
        case aiosmtplib.SMTPConnectResponseError():
            return Postponed("busy")
        case SMTPTimeoutError() | TimeoutError():
            return Postponed("timeout")
        case SMTPConnectError():
            cause = error.__cause__
            return Postponed("certificate" if isinstance(cause, ssl.SSLError) else "unreachable")
        case SMTPServerDisconnected():
            return Postponed("broken_answer")
        case SMTPResponseException() if error.code >= 500:
            return Postponed("login_refused")  # of what comes before a letter: a greeting, TLS, a login
        case SMTPResponseException():
            return Postponed("busy")
        case ValueError():
            return NotTaken("address_refused")
        case SMTPException():
            return Postponed("login_refused")  # TLS or a login was asked for, and the server knows none
        case _:
            return Postponed("unreachable")


def _of_refusal(code: int, said: str, otherwise: str) -> NotTaken | Postponed:
    """4xx is for later, 5xx for good. 552 to a letter's content is about its size; to an address, about the mailbox."""
    if code < 500:
        return Postponed("busy")
    if code in _OF_THE_LOGIN:
        return Postponed("login_refused")
    if otherwise == "sender_refused":
        return NotTaken(otherwise)
    if code == 552 and otherwise == "content_refused":
        return NotTaken("letter_too_large")
    enhanced = _ENHANCED.search(said)
    if enhanced and f"{int(enhanced[1])}.{int(enhanced[2])}" in _BY_ENHANCED:
        return NotTaken(_BY_ENHANCED[f"{int(enhanced[1])}.{int(enhanced[2])}"])
    return NotTaken(_BY_CODE.get(code, otherwise) if otherwise == "address_refused" else otherwise)
