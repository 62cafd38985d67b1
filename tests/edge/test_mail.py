"""A letter leaves as a mail once the server has taken it, and what a server says is told by what it means."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from dataclasses import replace

import pytest
from pydantic import SecretStr

from integrations.channels.mail import MailChannel, Server
from integrations.channels.mail_text import Sender, address_of
from integrations.letters import Letter, NotTaken, Postponed, Reader
from tests.support.certificates import Certificates
from tests.support.mail_server import PASSWORD, USER, MailServer, mail_server

HERE = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
SENDER = Sender(address="onboarding@firm.example", name="Onboarding", reply_to="people@firm.example")
LETTER = Letter(
    key="onboarding/c-1/standard/contract/1/ask/dana", reader=Reader(handle="dana", name="Dana Ölçer", addresses={"mail": "dana@customer.example"}),
    kind="ask", run="onboarding/c-1/standard", item="contract", subject="Bitte prüfen: contract", text="Guten Täg\n\n- contract fehlt\n",
    html="<p>Guten Tag</p>", language="de",
)  # fmt: skip


def channel(port: int, certificates: Certificates | None = None, **server: object) -> MailChannel:
    """To the server of a test."""
    trust = certificates.for_client() if certificates else None
    return MailChannel("mail", Server(host="localhost", port=port, **server), SENDER, inside=HERE, trust=trust)


async def told(mail: MailChannel, letter: Letter = LETTER) -> tuple[str, str]:
    """How a letter was refused. The words of the server are nowhere in it."""
    with pytest.raises((NotTaken, Postponed)) as refused:
        await mail.send(letter)
    await mail.close()
    assert str(refused.value) == refused.value.code
    return type(refused.value).__name__, refused.value.code


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
async def test_a_letter_arrives_by_every_sort_of_connection(security: str, certificates: Certificates) -> None:
    """With a login wherever the connection is encrypted."""
    encrypted = security != "none"
    async with mail_server(security, certificates, login=encrypted) as server:
        login = {"user": USER, "password": SecretStr(PASSWORD)} if encrypted else {}
        mail = channel(server.port, certificates, security=security, **login)
        await mail.send(LETTER)
        await mail.close()

    (arrived,) = server.mails
    body, page = arrived.iter_parts()
    assert server.envelopes == [("onboarding@firm.example", ["dana@customer.example"])]
    assert (arrived["Subject"], str(arrived["To"])) == ("Bitte prüfen: contract", "Dana Ölçer <dana@customer.example>")
    assert (arrived["From"], arrived["Reply-To"]) == ("Onboarding <onboarding@firm.example>", "people@firm.example")
    assert (arrived["Auto-Submitted"], arrived["Content-Language"]) == ("auto-generated", "de")
    assert (body.get_content_type(), body.get_content().splitlines()) == ("text/plain", LETTER.text.splitlines())
    assert {one["Content-Transfer-Encoding"] for one in (body, page)} <= {"7bit", "quoted-printable", "base64"}
    assert (page.get_content_type(), page.get_content().strip()) == ("text/html", "<p>Guten Tag</p>")


async def test_a_repetition_is_known_by_its_message_id_and_a_run_by_its_thread() -> None:
    """The same key is the same identity, whoever sends it; it says nothing of the key."""
    async with mail_server() as server:
        for mail, letter in (
            (channel(server.port, security="none"), LETTER),
            (channel(server.port, security="none"), replace(LETTER, text="otherwise")),
            (channel(server.port, security="none"), replace(LETTER, key=LETTER.key + "x")),
        ):
            await mail.send(letter)
            await mail.close()

    first, again, other = (mail["Message-ID"] for mail in server.mails)
    assert first == again != other
    assert first.endswith("@firm.example>")
    assert "dana" not in first
    assert len({mail["References"] for mail in server.mails}) == 1


@pytest.mark.parametrize(
    ("command", "said", "meaning"),
    [
        ("RCPT", "550 5.1.1 no such user here", ("NotTaken", "mailbox_unavailable")),
        ("RCPT", "550 unknown", ("NotTaken", "mailbox_unavailable")),
        ("RCPT", "553 5.1.3 bad address syntax", ("NotTaken", "address_refused")),
        ("RCPT", "501 what", ("NotTaken", "address_refused")),
        ("RCPT", "552 5.2.2 mailbox full", ("NotTaken", "mailbox_full")),
        ("RCPT", "554 5.7.1 relay access denied", ("NotTaken", "not_allowed")),
        ("RCPT", "554 whatever", ("NotTaken", "address_refused")),
        ("RCPT", "450 4.2.1 greylisted", ("Postponed", "busy")),
        ("RCPT", "452 too many", ("Postponed", "busy")),
        ("MAIL", "550 you again", ("NotTaken", "sender_refused")),
        ("MAIL", "451 later", ("Postponed", "busy")),
        ("MAIL", "530 5.7.0 Authentication required", ("Postponed", "login_refused")),
        ("RCPT", "530 Must issue a STARTTLS command first", ("Postponed", "login_refused")),
        ("DATA", "552 5.3.4 too large", ("NotTaken", "letter_too_large")),
        ("DATA", "554 5.7.1 spam", ("NotTaken", "not_allowed")),
        ("DATA", "554 no", ("NotTaken", "content_refused")),
        ("DATA", "451 later", ("Postponed", "busy")),
        ("DATA", "421 going down", ("Postponed", "busy")),
    ],
)  # fmt: skip
async def test_what_a_server_refuses_is_told_by_what_it_means(
    command: str, said: str, meaning: tuple[str, str]
) -> None:
    """4xx is for later; 5xx is for good, and says whether address, sender or content is at fault."""
    async with mail_server() as server:
        server.says[command] = said
        mail = channel(server.port, security="none")

        assert await told(mail) == meaning
        assert server.mails == []


async def test_what_concerns_the_server_and_not_the_letter_is_for_later(certificates: Certificates) -> None:
    """A wrong password, no TLS, an unknown certificate, nobody there, a hang-up, silence: no letter is lost for it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    async with mail_server("tls", certificates, login=True) as server:
        wrong = channel(server.port, certificates, user=USER, password=SecretStr("wrong"))
        assert await told(wrong) == ("Postponed", "login_refused")
        stranger = MailChannel("mail", Server(host="localhost", port=server.port), SENDER, inside=HERE)
        assert await told(stranger) == ("Postponed", "certificate")
    async with mail_server() as server:
        assert await told(channel(server.port, security="starttls")) == ("Postponed", "login_refused")
        assert await told(channel(server.port, security="tls")) == ("Postponed", "certificate")
        server.drops = True
        assert (await told(channel(server.port, security="none")))[0] == "Postponed"
        server.drops, server.waits = False, 5.0
        started = time.monotonic()
        assert await told(channel(server.port, security="none", seconds=0.5)) == ("Postponed", "timeout")
        assert time.monotonic() - started < 4
    assert await told(channel(nobody, security="none")) == ("Postponed", "unreachable")


async def test_a_connection_that_went_silent_costs_no_letter_its_try() -> None:
    """A firewall forgets a connection and tells nobody: the letter leaves over a new one, in time."""
    async with mail_server() as server:
        mail = channel(server.port, security="none")
        await mail.send(LETTER)
        server.sleeps = True
        await mail.send(LETTER)
        await mail.close()

    assert (server.connections, len(server.mails)) == (2, 2)


async def test_a_mail_server_inside_is_asked_only_where_the_network_is_opened() -> None:
    """The look at addresses holds for mail, too."""
    async with mail_server() as server:
        mail = MailChannel("mail", Server(host="localhost", port=server.port, security="none"), SENDER)

        assert await told(mail) == ("NotTaken", "forbidden_address")
        assert server.connections == 0


async def test_a_connection_is_used_again_also_after_a_refusal_and_replaced_when_the_server_hung_up() -> None:
    """What one letter meets does not touch the next one."""
    async with mail_server() as server:
        mail = channel(server.port, security="none")
        await mail.send(LETTER)
        server.says["RCPT"] = "550 5.1.1 nobody"
        with pytest.raises(NotTaken):
            await mail.send(LETTER)
        server.says.clear()
        await mail.send(LETTER)
        assert (server.connections, len(server.mails)) == (1, 2)

        server.drops = True
        with pytest.raises(Postponed):
            await mail.send(LETTER)
        server.drops = False
        await mail.send(LETTER)
        await mail.close()

    assert len(server.mails) == 3
    assert server.connections >= 2


INJECTIONS = [
    "x\r\nBcc: evil@example.net", "x\nBcc: evil@example.net", "x\rBcc: evil@example.net", "x\r\n\r\n<script>alert(1)</script>",
    "=?utf-8?q?x=0D=0ABcc:_evil@example.net?=", "x\u2028Bcc: evil@example.net", "x\x00Bcc: evil@example.net", "x\x85Bcc: evil@example.net",
    "x\x0bBcc: evil@example.net", "x\x0cBcc: evil@example.net", "\"x\" <evil@example.net>, ", "x, evil@example.net",
    "a person with a name that is folded, evil@example.net, and <evil@example.net>", "a" * 60 + ", evil@example.net", "Ölçer" * 9 + ", evil@example.net", "x\\\r\n Bcc: evil@example.net",
    "\r\n.\r\nMAIL FROM:<evil@example.net>\r\n", "a" * 5_000, "\ud800", "{{7*7}}", "=cmd|'/c calc'!A1", "';DROP TABLE notices;--", "<!-- --><b>",
]  # fmt: skip


async def test_nothing_in_a_letter_becomes_a_header_or_a_second_mail() -> None:
    """S7, for headers and the end of a mail: subject, name, language, key and both bodies in turn."""
    async with mail_server() as server:
        mail = channel(server.port, security="none")
        for text in INJECTIONS:
            reader = replace(LETTER.reader, name=text)
            await mail.send(
                replace(
                    LETTER, subject=text, language=text, reader=reader, key=text, run=text, text=text + "\n", html=text
                )
            )
        await mail.close()

    allowed = {
        "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted", "X-Auto-Response-Suppress",
        "Content-Language", "MIME-Version", "Content-Type",
    }  # fmt: skip
    strange = [set(arrived.keys()) - allowed for arrived in server.mails if set(arrived.keys()) - allowed]
    assert strange == []
    assert len(server.mails) == len(INJECTIONS)
    assert {tuple(to) for _, to in server.envelopes} == {("dana@customer.example",)}
    assert all(
        [one.addr_spec for one in arrived["To"].addresses] == ["dana@customer.example"] for arrived in server.mails
    )
    print(
        f"S7: {len(INJECTIONS)} injection strings in mails (headers, bodies), 0 became a header, a reader or a second mail"
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "dana", "@customer.example", "dana@", "a@b@c.example", "Dana <dana@customer.example>", "dana@customer.example, evil@example.net",
        "dana@customer.example\r\nRCPT TO:<evil@example.net>", "dana@[127.0.0.1]", '"a b"@customer.example', "dana@customer.example>",
        "dana@cust omer.example", "a" * 300 + "@customer.example", "undisclosed:;",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused_before_anybody_is_asked(text: str) -> None:
    """One address, no name, no group, no second command."""
    async with mail_server() as server:
        mail = channel(server.port, security="none")

        assert await told(mail, replace(LETTER, reader=replace(LETTER.reader, addresses={"mail": text}))) == (
            "NotTaken",
            "address_refused",
        )
        assert server.connections == 0


async def test_an_address_in_another_alphabet_reaches_a_server_that_takes_it() -> None:
    """A domain goes in its written form, a name as it is."""
    assert address_of("dana@bücher.example") == "dana@xn--bcher-kva.example"
    async with mail_server() as server:
        mail = channel(server.port, security="none")
        await mail.send(replace(LETTER, reader=replace(LETTER.reader, addresses={"mail": "ölçer@customer.example"})))
        await mail.close()

    assert server.envelopes[0][1] == ["ölçer@customer.example"]


async def test_two_hundred_letters_leave_over_a_few_connections(certificates: Certificates) -> None:
    """Those in flight at once have one each; with TLS a connection costs more than a letter."""
    async with mail_server("tls", certificates, login=True) as server:
        mail = channel(server.port, certificates, user=USER, password=SecretStr(PASSWORD))
        kept, kept_seconds = await _two_hundred(server, mail, keep=True)
        alone, alone_seconds = await _two_hundred(server, mail, keep=False)

    assert len(server.mails) == 400
    assert kept <= 40
    assert alone == 200
    print(
        f"mail: 200 letters over TLS in {kept_seconds:.1f} s over {kept} connections; {alone_seconds:.1f} s with one each"
    )


async def _two_hundred(server: MailServer, mail: MailChannel, *, keep: bool) -> tuple[int, float]:
    gate = asyncio.Semaphore(5)

    async def one(n: int) -> None:
        async with gate:
            own = mail if keep else MailChannel("mail", mail._server, SENDER, inside=HERE, trust=mail._trust)
            await own.send(replace(LETTER, key=f"{keep}{n}"))
            if not keep:
                await own.close()

    before, started = server.connections, time.monotonic()
    await asyncio.gather(*(one(n) for n in range(200)))
    if keep:
        await mail.close()
    return server.connections - before, time.monotonic() - started
