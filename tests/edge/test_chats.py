"""Letters leave for chats and webhooks in the form that each reads, and nothing in them steers it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from integrations.channels import notify
from integrations.channels.notify import NotifyChannel
from integrations.channels.posting import Place
from integrations.channels.slack import SlackChannel
from integrations.channels.teams import TeamsChannel
from integrations.channels.webhook import WebhookChannel
from integrations.egress import Egress
from integrations.letters import Channel, Letter, NotTaken, Postponed, Reader
from integrations.signing import outside_identity, secret_fault

HERE = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
SECRET = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
LETTER = Letter(
    key="onboarding/c-1/standard/contract/1/escalation/sam", reader=Reader(handle="sam", name="Sam", side="provider", roles=("cs_lead",), addresses={"slack": "U123", "phone": "+49 1"}),
    kind="escalation", run="onboarding/c-1/standard", item="contract", subject="Late: contract", text="It is late.\n\n- contract\n",
    html="<p>It is late.</p>", language="en",
)  # fmt: skip
# What each of these programs could take for more than words.
INJECTIONS = [
    "<!channel> now", "<@U123>", "<https://evil.example|your bank>", "https://evil.example/x", "*bold* _it_ ~s~ `c`", "&lt;!here&gt;", "@here @everyone",
    "[your bank](https://evil.example)", "![x](https://evil.example/x.png)", "<at>sam</at>", "# heading", "```code```", '", "blocks": [], "x": "',
    "\r\nX-Evil: 1", "\x00\x1b[31m", "\u202e\u2066", "\ud800", "{{7*7}} ${7*7} {%x%}", "<script>alert(1)</script>", ":boom:",
]  # fmt: skip


class Heard:
    """What a server of a test was sent, and what it says."""

    def __init__(self, server: HTTPServer) -> None:
        """At every path."""
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.says: Response | None = None
        self.url = server.url_for("/post")
        server.expect_request("/post").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.append((dict(request.headers), request.get_data()))
        return self.says or Response('{"ok": true}', content_type="application/json")

    def json(self, at: int = -1) -> Any:
        """A body."""
        return json.loads(self.requests[at][1])

    @property
    def place(self) -> Place:
        """How to reach it."""
        return Place(url=SecretStr(self.url), allow=("localhost", "127.0.0.1"), plain=True)


@pytest.fixture
def heard(httpserver: HTTPServer) -> Iterator[Heard]:
    """On this machine."""
    return Heard(httpserver)


def all_of(heard: Heard) -> dict[str, Channel]:
    """One channel of each sort."""
    out = Egress(HERE)
    return {
        "slack": SlackChannel("slack", out, heard.place),
        "bot": SlackChannel("bot", out, heard.place, token=SecretStr("xoxb-1")),
        "teams": TeamsChannel("teams", out, heard.place),
        "webhook": WebhookChannel("webhook", out, heard.place, secret=SECRET, address="phone"),
    }


async def told(channel: Channel, letter: Letter = LETTER) -> tuple[str, str, float | None]:
    """How it was refused."""
    with pytest.raises((NotTaken, Postponed)) as refused:
        await channel.send(letter)
    assert str(refused.value) == refused.value.code
    return type(refused.value).__name__, refused.value.code, getattr(refused.value, "after", None)


async def test_slack_gets_a_heading_and_plain_text(heard: Heard) -> None:
    """In a room that others read it says whom it is for; to a person it does not."""
    channels = all_of(heard)
    await channels["slack"].send(LETTER)
    await channels["bot"].send(LETTER)
    room, direct = heard.json(0), heard.json(1)

    assert [block["text"] for block in room["blocks"]] == [
        {"type": "plain_text", "text": "Sam: Late: contract", "emoji": False},
        {"type": "plain_text", "text": "It is late.\n\n- contract", "emoji": False},
    ]
    assert (direct["channel"], direct["text"]) == ("U123", "Late: contract")
    assert heard.requests[1][0]["Authorization"] == "Bearer xoxb-1"
    assert (channels["slack"].sort, channels["bot"].sort) == ("", "slack")


async def test_teams_gets_a_card_of_plain_runs(heard: Heard) -> None:
    """As the webhook of a workflow wants it; a long letter is cut below the 28 KB that it takes."""
    await all_of(heard)["teams"].send(LETTER)
    (attachment,) = heard.json()["attachments"]
    runs = [block["inlines"][0]["text"] for block in attachment["content"]["body"]]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert runs == ["Sam: Late: contract", "It is late.", "- contract"]

    for long in ("x" * 100_000, "ü\n" * 50_000, "漢字" * 30_000):
        await all_of(heard)["teams"].send(replace(LETTER, text=long))
        assert len(heard.requests[-1][1]) < 28_000


async def test_a_webhook_gets_the_whole_letter_signed_with_its_key_as_identity(heard: Heard) -> None:
    """The receiver checks it with the library of the form."""
    await all_of(heard)["webhook"].send(LETTER)
    headers, body = heard.requests[-1]
    said = Webhook(SECRET.get_secret_value()).verify(body, headers)

    assert said == {
        "version": 1, "key": LETTER.key, "kind": "escalation", "run": "onboarding/c-1/standard", "item": "contract", "to": "+49 1",
        "reader": {"handle": "sam", "name": "Sam", "side": "provider", "roles": ["cs_lead"], "zone": ""}, "language": "en",
        "subject": "Late: contract", "text": "It is late.\n\n- contract\n", "html": "<p>It is late.</p>",
    }  # fmt: skip
    assert headers["Idempotency-Key"] == headers["Webhook-Id"] == LETTER.key
    assert "phone" not in str(said)


async def test_a_repetition_has_the_same_identity_and_a_signature_of_its_own_instant(heard: Heard) -> None:
    """So that a receiver takes it once, and no older signature can be used again."""
    instants = iter([datetime(2026, 11, 22, 9, tzinfo=UTC), datetime(2026, 11, 22, 10, tzinfo=UTC)])
    channel = WebhookChannel("w", Egress(HERE), heard.place, secret=SECRET, clock=lambda: next(instants))
    await channel.send(LETTER)
    await channel.send(LETTER)
    first, again = (headers for headers, _ in heard.requests)

    assert first["Webhook-Id"] == again["Webhook-Id"]
    assert first["Webhook-Signature"] != again["Webhook-Signature"]


@pytest.mark.parametrize("name", ["slack", "bot", "teams", "webhook"])
async def test_what_an_answer_means_is_the_same_for_all(name: str, heard: Heard) -> None:
    """Busy and broken is for later, with the pause that was asked for; a redirection and a refusal are for good."""
    channel = all_of(heard)[name]
    meanings = []
    for status, headers in (
        (429, {"Retry-After": "17"}),
        (503, {}),
        (404, {}),
        (400, {}),
        (302, {"Location": heard.url}),
    ):
        heard.says = Response("these words are never kept", status=status, headers=headers)
        meanings.append(await told(channel))

    assert meanings == [
        ("Postponed", "http_429", 17.0), ("Postponed", "http_503", None), ("NotTaken", "http_404", None), ("NotTaken", "http_400", None),
        ("NotTaken", "redirected", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ('{"ok": false, "error": "channel_not_found"}', ("NotTaken", "address_refused")),
        ('{"ok": false, "error": "not_in_channel"}', ("NotTaken", "not_allowed")),
        ('{"ok": false, "error": "token_revoked"}', ("Postponed", "login_refused")),
        ('{"ok": false, "error": "ratelimited"}', ("Postponed", "busy")),
        ('{"ok": false, "error": "fatal_error"}', ("Postponed", "broken_answer")),
        ('{"ok": "true"}', ("Postponed", "broken_answer")),
        ('{"ok": false, "error": []}', ("Postponed", "broken_answer")),
        ("[]", ("Postponed", "broken_answer")),
        ("ok", ("Postponed", "broken_answer")),
    ],
)
async def test_a_bot_is_answered_with_200_whatever_became_of_it(
    said: str, meaning: tuple[str, str], heard: Heard
) -> None:
    """Only `ok: true` is a yes."""
    heard.says = Response(said)

    assert (await told(all_of(heard)["bot"]))[:2] == meaning


async def test_no_word_of_a_letter_steers_a_chat_or_a_receiver(heard: Heard) -> None:
    """S7: subject, text and name in turn; what is marked as plain text is read as such, and what is not holds no mark."""
    count = 0
    for text in INJECTIONS:
        letter = replace(LETTER, subject=text, text=text, html=text, reader=replace(LETTER.reader, name=text))
        for name, channel in all_of(heard).items():
            await channel.send(replace(letter, key=f"{name} {text}"))
            headers, body = heard.requests[-1]
            said = json.loads(body)
            count += 1
            assert "X-Evil" not in headers
            assert body.isascii()
            if name in ("slack", "bot"):
                assert not set("<>") & set(said["text"])
                assert {block["text"]["type"] for block in said["blocks"]} == {"plain_text"}
                assert set(said) <= {"text", "blocks", "unfurl_links", "unfurl_media", "channel"}
            elif name == "teams":
                blocks = said["attachments"][0]["content"]["body"]
                assert {block["type"] for block in blocks} == {"RichTextBlock"}
                assert {run["type"] for block in blocks for run in block["inlines"]} == {"TextRun"}
            else:
                Webhook(SECRET.get_secret_value()).verify(body, headers)
                assert "\n" not in said["subject"]

    print(
        f"S7: {len(INJECTIONS)} injection strings x {len(all_of(heard))} channels over HTTP = {count} letters, all inert"
    )


def test_a_key_stands_in_a_header_as_it_is_or_as_its_digest() -> None:
    """Keys are plain; one that a header could not hold is told apart all the same."""
    assert outside_identity(LETTER.key) == LETTER.key
    strange = ["", "a b", "ü", "a\r\nb", "x" * 300]
    assert len({outside_identity(one) for one in strange}) == len(strange)
    assert all(len(outside_identity(one)) == 64 for one in strange)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_!!!", "whsec_" + "A" * 200]
)
def test_a_secret_that_cannot_sign_is_told_when_it_is_read(text: str) -> None:
    """And not when the first letter leaves."""
    why = secret_fault(SecretStr(text))

    assert why
    assert secret_fault(SECRET) is None


@pytest.mark.filterwarnings("ignore:.imghdr.:DeprecationWarning")  # of the library
async def test_apprise_brings_what_nobody_else_does(heard: Heard) -> None:
    """The extra `notify`: any service that it knows, here its own JSON."""
    address = SecretStr(heard.url.replace("http://", "json://"))
    assert notify.url_fault(address) is None
    await NotifyChannel("other", address, inside=HERE).send(LETTER)

    assert (heard.json()["title"], heard.json()["message"].strip()) == (
        "Sam: Late: contract",
        "It is late.\n\n- contract",
    )
    assert await told(NotifyChannel("other", address)) == ("NotTaken", "forbidden_address", None)
    assert len(heard.requests) == 1
    heard.says = Response("no", status=500)
    assert await told(NotifyChannel("other", address, inside=HERE)) == ("Postponed", "not_taken", None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", "bad_url"),
        ("unknown://x", "bad_url"),
        ("dbus://", "scheme_not_allowed"),
        ("syslog://", "scheme_not_allowed"),
    ],
)
@pytest.mark.filterwarnings("ignore:.imghdr.:DeprecationWarning")
def test_apprise_is_asked_for_no_service_that_reaches_nobody(text: str, code: str) -> None:
    """What it does not know, and what only shows something on the machine of the worker."""
    assert notify.url_fault(SecretStr(text)) == code


@pytest.mark.filterwarnings("ignore:.imghdr.:DeprecationWarning")
async def test_nothing_of_a_letter_its_reader_or_a_secret_is_in_a_log(
    heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where somebody asks for every line: of ours, and of the libraries that bring it out."""
    caplog.set_level("DEBUG")
    hidden = ("hidden-secret", "hidden-word", "hidden-name", "hidden-cookie", "U-hidden", "/post")
    letter = replace(
        LETTER,
        subject="hidden-word",
        text="hidden-word",
        reader=replace(LETTER.reader, name="hidden-name", addresses={"slack": "U-hidden", "phone": "U-hidden"}),
    )
    place = replace(heard.place, headers={"X-Key": SecretStr("hidden-secret")})
    out = Egress(HERE)
    channels: list[Channel] = [
        NotifyChannel("n", SecretStr(heard.url.replace("http://", "json://") + "?+X-Key=hidden-secret"), inside=HERE),
        SlackChannel("bot", out, place, token=SecretStr("hidden-secret")), TeamsChannel("teams", out, place), WebhookChannel("w", out, place, address="phone"),
    ]  # fmt: skip
    raised: list[str] = []
    for status in (200, 500, 404):
        heard.says = Response(
            '{"ok": true, "x": "hidden-word"}', status=status, headers={"Set-Cookie": "a=hidden-cookie"}
        )
        for channel in channels:
            try:
                await channel.send(letter)
            except (NotTaken, Postponed) as refused:
                raised.append(repr(refused))
    lines = [record.getMessage() for record in caplog.records if record.name not in ("werkzeug", "_internal")]

    assert (len(heard.requests), len(raised)) == (12, 8)
    assert [line for line in (*lines, *raised) for word in hidden if word in line] == []
    assert [word for word in hidden if word in repr(place)] == []


async def test_a_look_connects_and_posts_nothing(heard: Heard) -> None:
    """Also where nobody is."""
    for channel in all_of(heard).values():
        await channel.hello()  # type: ignore[attr-defined]
    gone = replace(heard.place, url=SecretStr("http://localhost:9/post"))
    with pytest.raises(Postponed, match="unreachable"):
        await TeamsChannel("teams", Egress(HERE), gone).hello()
    with pytest.raises(NotTaken, match="forbidden_address"):
        await TeamsChannel("teams", Egress(), heard.place).hello()

    assert heard.requests == []
