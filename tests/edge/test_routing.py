"""A notice tries the channels that the reader wants, then those that the installation names for it, and none without an address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from integrations.channels.routing import Route, Routing
from integrations.letters import Channel, Letter, NotTaken, Reader
from onboarding.engine.effects import Notice, NoticeKind

NOTICE = Notice(
    key="k", kind=NoticeKind.ASK, to="dana", template="ask", subject="s", lines=(), run="onboarding/c-1/standard", customer="c-1",
    at=datetime(2026, 11, 22, tzinfo=UTC), side="customer",
)  # fmt: skip
READER = Reader(
    handle="dana", side="customer", roles=("signatory",), addresses={"mail": "dana@customer.example", "phone": "+49 1"}
)


@dataclass
class Named:
    """A channel that only has a name."""

    name: str
    sort: str

    async def send(self, letter: Letter) -> None:
        """Nothing leaves."""

    async def close(self) -> None:
        """Holds nothing."""


CHANNELS: dict[str, Channel] = {
    "mail": Named("mail", "mail"),
    "chat": Named("chat", "slack"),
    "room": Named("room", ""),
    "text": Named("text", "phone"),
}
ROUTES = (
    Route(to=("chat", "room", "mail"), urgent=True, side="provider"),
    Route(to=("text", "mail"), urgent=True),
    Route(to=("text",), handle="otto"),
    Route(to=("mail", "text"), role="signatory", kinds=("ask", "reminder")),
    Route(to=("room",), definition="special"),
    Route(to=("mail",)),
)  # fmt: skip


def names(notice: Notice, reader: Reader, routes: tuple[Route, ...] = ROUTES) -> list[str]:
    """What is tried, in order."""
    return [one.name for one in Routing(CHANNELS, routes).channels(notice, reader)]


@pytest.mark.parametrize(
    ("notice", "reader", "tried"),
    [
        (NOTICE, READER, ["mail", "text"]),
        (replace(NOTICE, kind=NoticeKind.ESCALATION), READER, ["text", "mail"]),
        (replace(NOTICE, kind=NoticeKind.RETRACTION), READER, ["text", "mail"]),
        (replace(NOTICE, kind=NoticeKind.ESCALATION), replace(READER, side="provider"), ["room", "mail"]),
        (replace(NOTICE, kind=NoticeKind.ESCALATION), replace(READER, side="provider", addresses={"slack": "U1"}), ["chat", "room"]),
        (replace(NOTICE, kind=NoticeKind.RECEIPT), READER, ["mail"]),
        (replace(NOTICE, to="otto", kind=NoticeKind.RECEIPT), replace(READER, handle="otto"), ["text"]),
        (replace(NOTICE, run="onboarding/c-1/special", kind=NoticeKind.RECEIPT), READER, ["room"]),
        (NOTICE, replace(READER, channels=("text",)), ["text", "mail"]),
        (NOTICE, replace(READER, channels=("chat", "unheard-of", "text")), ["text", "mail"]),
        (NOTICE, replace(READER, roles=()), ["mail"]),
        (replace(NOTICE, side="provider", kind=NoticeKind.ESCALATION), replace(READER, side=""), ["room", "mail"]),
    ],
)  # fmt: skip
def test_the_first_route_that_fits_decides_and_the_readers_wish_comes_first(
    notice: Notice, reader: Reader, tried: list[str]
) -> None:
    """The rest of the route stays behind the wish: by another way is better than not at all."""
    assert names(notice, reader) == tried


@pytest.mark.parametrize(
    "reader",
    [
        replace(READER, addresses={}),
        replace(READER, addresses={"mail": " "}),
        replace(READER, addresses={"slack": "U1"}),
    ],
)
def test_whom_nothing_leads_to_is_told_and_not_passed_over(reader: Reader) -> None:
    """It becomes somebody's task; nothing is dropped in silence."""
    with pytest.raises(NotTaken, match="no_channel"):
        names(replace(NOTICE, kind=NoticeKind.RECEIPT), reader)


def test_without_routes_every_channel_is_tried_in_the_order_of_the_file() -> None:
    """A file with one channel needs no route."""
    assert names(NOTICE, READER, ()) == ["mail", "room", "text"]


def test_a_notice_that_fits_no_route_reaches_whoever_asks_for_a_channel() -> None:
    """And nobody else."""
    routes = (Route(to=("mail",), kinds=("digest",)),)

    assert names(NOTICE, replace(READER, channels=("text",)), routes) == ["text"]
    with pytest.raises(NotTaken):
        names(NOTICE, READER, routes)


def test_the_same_notice_gets_the_same_objects() -> None:
    """What is known of a channel (its pace, its connections) is known of one object."""
    routing = Routing(CHANNELS, ROUTES)

    assert routing.channels(NOTICE, READER)[0] is routing.channels(NOTICE, READER)[0]
