"""What a notice template is usually for, and which one stands in for another that is not there any more."""

from __future__ import annotations

from typing import Final

from onboarding.engine.effects import NoticeKind

FOR_KIND: Final = {
    NoticeKind.ASK: "ask",
    NoticeKind.RECEIPT: "received",
    NoticeKind.REMINDER: "reminder",
    NoticeKind.ESCALATION: "escalation",
    NoticeKind.RETRACTION: "retraction",
    NoticeKind.DIGEST: "reminder",
    NoticeKind.SILENCE: "silence",
    NoticeKind.HANDOFF: "handover",
}
"""What a notice says under the name of a template that nobody has any more: a run outlives a folder."""

_OTHERS: Final = {
    "welcome": NoticeKind.HANDOFF, "completed": NoticeKind.HANDOFF, "goes_on": NoticeKind.RETRACTION, "returned": NoticeKind.ASK,
}  # fmt: skip


def kind_of(template: str) -> NoticeKind:
    """What a notice of this template is usually for; an installation's own ones stand where stages begin and end."""
    usual = {name: kind for kind, name in FOR_KIND.items() if kind is not NoticeKind.DIGEST} | _OTHERS
    return usual.get(template, NoticeKind.HANDOFF)
