"""Slack: to a channel of a team by its incoming webhook, or to a person or channel by a bot.

Text goes as `plain_text`, in which Slack reads no marks, mentions or links; the line for notifications, in which it does, is escaped.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import SecretStr

from integrations.channels.plain_words import cut, lines_of, one_line, pieces
from integrations.channels.posting import Place, packed, post_json, reach
from integrations.egress import Egress
from integrations.letters import Letter, NotTaken, Postponed

HOSTS: Final = ("hooks.slack.com", "slack.com")
"""Where Slack is asked, unless an installation says otherwise."""
_BOT_URL: Final = "https://slack.com/api/chat.postMessage"
MOST_TITLE, MOST_SECTION, MOST_SECTIONS, MOST_LINE = 150, 3_000, 20, 300
"""Characters of a heading and of a part, parts, and characters of the line for notifications: the first two are Slack's."""

_OF_THE_LETTER: Final = {
    "channel_not_found": "address_refused", "user_not_found": "address_refused", "is_archived": "mailbox_unavailable",
    "not_in_channel": "not_allowed", "restricted_action": "not_allowed", "msg_too_long": "letter_too_large",
    "no_text": "content_refused", "invalid_blocks": "content_refused", "cannot_dm_bot": "address_refused",
    "messages_tab_disabled": "not_allowed",
}  # fmt: skip
_OF_THE_LOGIN: Final = frozenset(
    (
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "no_permission",
    )
)


def bot_url() -> SecretStr:
    """Where bots post. It is no secret; that of a webhook, which stands in the same place, is."""
    return SecretStr(_BOT_URL)


class SlackChannel:
    """Fulfils `Channel`. With a bot it uses the reader's own `slack` address, or one room for all."""

    def __init__(
        self, name: str, egress: Egress, place: Place, *, token: SecretStr | None = None, room: str = ""
    ) -> None:
        """`place` is the incoming webhook, or where a bot with this `token` posts."""
        self.name = name
        self.sort = "slack" if token is not None and not room else ""
        self._egress, self._place, self._token, self._room = egress, place, token, room

    async def send(self, letter: Letter) -> None:
        """Posts one message. Slack knows no identity of a message, so a repetition after a lost answer is seen twice."""
        message: dict[str, Any] = {
            "text": _escaped(cut(one_line(f"{_for(letter, self.sort)}{letter.subject}", MOST_LINE), MOST_LINE)),
            "blocks": _blocks(letter, self.sort),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if self._token is None:
            await post_json(self._egress, self._place, letter, packed(message), {})
            return
        message["channel"] = self._room or one_line(letter.reader.addresses.get(self.sort, ""), 100)
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        _demand_ok((await post_json(self._egress, self._place, letter, packed(message), headers)).body)

    async def hello(self) -> None:
        """Connects and posts nothing."""
        await reach(self._egress, self._place)

    async def close(self) -> None:
        """Holds nothing."""


def _blocks(letter: Letter, sort: str) -> list[dict[str, Any]]:
    title = one_line(f"{_for(letter, sort)}{letter.subject}", MOST_TITLE)
    parts = pieces(lines_of(letter.text).strip(), MOST_SECTION, MOST_SECTIONS)
    heading = {"type": "header", "text": {"type": "plain_text", "text": title or " ", "emoji": False}}
    return [
        heading,
        *(
            {"type": "section", "text": {"type": "plain_text", "text": part, "emoji": False}}
            for part in parts
            if part.strip()
        ),
    ]


def _for(letter: Letter, sort: str) -> str:
    """Whom it is for, where others read it as well."""
    return "" if sort else f"{letter.reader.name or letter.reader.handle}: "


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _demand_ok(body: bytes) -> None:
    """A bot is answered with 200 whatever became of the message."""
    try:
        said = json.loads(body)
    except ValueError:
        raise Postponed("broken_answer") from None
    if not isinstance(said, dict):
        raise Postponed("broken_answer")
    if said.get("ok") is True:
        return
    error = str(said.get("error"))
    if error in _OF_THE_LOGIN:
        raise Postponed("login_refused")
    if error in _OF_THE_LETTER:
        raise NotTaken(_OF_THE_LETTER[error])
    raise Postponed("busy" if error in ("ratelimited", "rate_limited") else "broken_answer")
