"""What the made-up runs are drawn from: two definitions of seven stages, people, segments, and how long things take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
"""The present of every made-up run: the same rows on every day."""
MONTHS = 24
"""How far back finished runs were signed."""


@dataclass(frozen=True, slots=True)
class Work:
    """One item of a stage: whose it is, and the hours that it usually takes. `handoff`: one role gives, another accepts."""

    item: str
    kind: str
    side: str
    role: str
    hours: float
    handoff: bool = False


@dataclass(frozen=True, slots=True)
class Phase:
    """One stage, with who owns it and the milestone that leaving it reaches."""

    stage: str
    role: str
    milestone: str | None
    works: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A definition: its versions with how often each occurs, and the days within which it promises to be live."""

    definition: str
    versions: tuple[tuple[int, int], ...]
    target_days: int
    phases: tuple[Phase, ...]


def _phase(stage: str, role: str, milestone: str | None, *works: Work) -> Phase:
    return Phase(stage, role, milestone, works)


PLANS: tuple[tuple[Plan, int], ...] = (
    (
        Plan(
            "b2b-standard",
            ((3, 2), (4, 3), (5, 5)),
            21,
            (
                _phase("handoff", "onboarding", None, Work("handoff_pack", "task", "provider", "sales", 4), Work("handoff_accepted", "approval", "provider", "onboarding", 3, handoff=True)),
                _phase("intake", "onboarding", "intake_complete", Work("company_details", "request", "customer", "champion", 40), Work("tax_documents", "request", "customer", "champion", 60)),
                _phase("kickoff", "onboarding", "kickoff_held", Work("kickoff_call", "event", "third_party", "onboarding", 20), Work("plan_agreed", "approval", "customer", "champion", 12)),
                _phase("setup", "engineering", None, Work("provision", "hook", "provider", "engineering", 1), Work("configure", "task", "provider", "engineering", 30)),
                _phase("validate_train", "onboarding", "accepted", Work("user_acceptance", "request", "customer", "champion", 36), Work("go_decision", "approval", "provider", "lead", 8)),
                _phase("go_live", "onboarding", "first_value", Work("switch_on", "task", "provider", "engineering", 6)),
                _phase("transition", "success", "handed_over", Work("success_accepts", "approval", "provider", "success", 16, handoff=True)),
            ),
        ),
        6,
    ),
    (
        Plan(
            "document-intake",
            ((1, 2), (2, 3), (3, 5)),
            28,
            (
                _phase("handoff", "account_lead", None, Work("deal_pack", "task", "provider", "sales", 5), Work("deal_accepted", "approval", "provider", "account_lead", 4, handoff=True)),
                _phase("kickoff", "account_lead", "aligned", Work("kickoff_meeting", "event", "third_party", "account_lead", 24)),
                _phase("collection", "file_clerk", "file_complete", Work("registry_extract", "request", "customer", "finance", 50), Work("signatures", "request", "customer", "finance", 70), Work("file_checked", "approval", "provider", "file_clerk", 10)),
                _phase("setup", "engineering", None, Work("configure", "task", "provider", "engineering", 34)),
                _phase("training", "account_lead", "enabled", Work("admin_training", "request", "customer", "admin", 44)),
                _phase("go_live", "account_lead", "first_value", Work("first_delivery", "event", "third_party", "account_lead", 18)),
                _phase("transition", "service", "handed_over", Work("service_accepts", "approval", "provider", "service", 14, handoff=True)),
            ),
        ),
        4,
    ),
)  # fmt: skip
"""Each definition with how often it occurs."""

SEGMENTS = (("smb", 50), ("mid", 35), ("enterprise", 15))
"""Each segment with how often it occurs. The first and the last are variants, too."""
PACE = {"smb": 0.6, "mid": 1.0, "enterprise": 1.8}
"""How much longer or shorter things take."""
WAVES = ("", "", "", "", "wave-1", "wave-2", "wave-3")
NAMES = (
    "ada", "bela", "cora", "dana", "eva", "fritz", "gero", "hana", "ivo", "jana", "kurt", "lena", "milo", "nora", "olaf", "pia",
    "quin", "rosa", "sven", "tara", "udo", "vera", "willi", "xenia", "yann", "zoe",
)  # fmt: skip
"""Handles of the provider's people."""
