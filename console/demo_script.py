"""The demo's customer and the people around them: what each says, when, and what they should hear. Data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DEFINITION = "b2b-standard"
CUSTOMER = "c-1042"
ITEM_LATE = "access_credentials"
ITEM_RETURNED = "legacy_export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message. It is sent `after` so many business hours since `item` got one of `statuses` (and `late` where said)."""

    story: str
    name: str
    actor: str
    content: dict[str, Any] = field(default_factory=dict)
    expects: str = "accepted"
    item: str = ""
    statuses: tuple[str, ...] = ("open",)
    round: int = 1
    late: bool = False
    after: float = 2.0


def _file(name: str, kind: str, size: int) -> dict[str, Any]:
    """A reference: the bytes of a customer's file never travel."""
    digest = f"{sum(name.encode()):064x}"
    return {"uri": f"s3://customer-files/{name}", "sha256": digest, "type": kind, "bytes": size, "name": name}


STEPS: tuple[Step, ...] = (
    Step(
        story="The signature service reports the signed order form before anybody has asked for it.",
        name="happen", actor="integration:esign", after=0.5, expects="held",
        content={"event": "esign.completed", "data": {"reference": CUSTOMER}},
    ),
    Step(
        story="Sales hands over what it learned.", name="complete", actor="sam", item="handoff_pack",
        content={
            "item": "handoff_pack",
            "provides": {
                "scope": "Order intake for three plants", "promised_live_on": "2026-12-11",
                "success_goal": "80 % of orders without a phone call", "commitments": ["training on site"],
            },
        },
    ),
    Step(
        story="Onboarding accepts the handoff.", name="decide", actor="dana", item="handoff_accepted",
        content={"item": "handoff_accepted", "outcome": "accept"},
    ),
    Step(
        story="The customer answers at once, and makes two mistakes.", name="submit", actor="customer:champion",
        item="company_details", expects="rejected",
        content={"item": "company_details", "fields": {"vat_id": "12", "tech_contact": "it.desk@customer.example"}},
    ),
    Step(
        story="Told what is wrong, the customer corrects it.", name="submit", actor="customer:champion", item="company_details",
        content={
            "item": "company_details",
            "fields": {
                "legal_name": "Northwind Pumps GmbH", "vat_id": "DE136695976", "tech_contact": "it.desk@customer.example",
                "go_live_wish": "2026-12-11",
            },
        },
    ),
    Step(
        story="Onboarding drafts the plan.", name="complete", actor="dana", item="agenda", content={"item": "agenda"},
    ),
    Step(
        story="The customer sends the tax certificate and a proof of address.", name="submit", actor="customer:champion",
        item="tax_documents",
        content={
            "item": "tax_documents",
            "files": [_file("tax-certificate.pdf", "pdf", 182_300), _file("proof-of-address.pdf", "pdf", 94_112)],
        },
    ),
    Step(
        story="The calendar reports that the kickoff call was held.", name="happen", actor="integration:calendar",
        item="kickoff_held", content={"event": "calendar.meeting_ended", "data": {"customer": CUSTOMER}},
    ),
    Step(
        story="Onboarding looks at the documents and accepts them.", name="decide", actor="dana", item="tax_documents",
        statuses=("in_review",), content={"item": "tax_documents", "outcome": "accept"},
    ),
    Step(
        story="The customer's administrator sends the export from the old system.", name="submit", actor="customer:admin",
        item=ITEM_RETURNED, content={"item": ITEM_RETURNED, "files": [_file("orders-2025.csv", "csv", 8_120_400)]},
    ),
    Step(
        story="Engineering returns it: half of the customers have no number.", name="decide", actor="engineering",
        item="data_quality",
        content={"item": "data_quality", "outcome": "return", "comment": "Half of the rows have no customer number."},
    ),
    Step(
        story="The customer agrees to plan, dates and contacts.", name="decide", actor="customer:champion", item="plan_agreed",
        content={"item": "plan_agreed", "outcome": "accept"},
    ),
    Step(
        story="The administrator sends a corrected export.", name="submit", actor="customer:admin", item=ITEM_RETURNED,
        statuses=("open", "returned"), round=2,
        content={"item": ITEM_RETURNED, "files": [_file("orders-2025-corrected.csv", "csv", 8_344_910)]},
    ),
    Step(
        story="Now the export is good enough.", name="decide", actor="engineering", item="data_quality", round=2,
        content={"item": "data_quality", "outcome": "accept"},
    ),
    Step(
        story="Nobody has given the access yet. Reminders and an escalation later, the administrator does.", name="submit",
        actor="customer:admin", item=ITEM_LATE, late=True, after=4,
        content={"item": ITEM_LATE, "fields": {"reference": "vault:kv/customers/northwind"}},
    ),
    Step(
        story="Setup begins by itself; engineering configures.", name="complete", actor="engineering", item="configure", after=2,
        content={"item": "configure"},
    ),
    Step(
        story="The acceptance checklist passes.", name="complete", actor="engineering", item="smoke_test",
        content={"item": "smoke_test"},
    ),
    Step(
        story="The learning system reports the administrators' training.", name="happen", actor="integration:lms",
        item="training_admin", content={"event": "lms.course_completed", "data": {"account": CUSTOMER}},
    ),
    Step(
        story="The customer tries the three agreed cases.", name="submit", actor="customer:champion", item="user_acceptance",
        content={"item": "user_acceptance", "fields": {"cases_passed": 3}},
    ),
    Step(
        story="The customer says go.", name="decide", actor="customer:champion", item="go_decision",
        content={"item": "go_decision", "outcome": "go"},
    ),
    Step(
        story="Onboarding says go: that makes two.", name="decide", actor="dana", item="go_decision", after=0.5,
        content={"item": "go_decision", "outcome": "go"},
    ),
    Step(
        story="The owner of the first weeks is named.", name="complete", actor="dana", item="hypercare_named",
        content={"item": "hypercare_named"},
    ),
    Step(
        story="The product reports the first real transaction: first value.", name="happen", actor="integration:product",
        item="first_value_seen", after=2,
        content={"event": "product.first_transaction", "data": {"account": CUSTOMER}},
    ),
    Step(
        story="Goals, promises and debt are handed over.", name="complete", actor="dana", item="success_pack",
        content={"item": "success_pack"},
    ),
    Step(
        story="The customer answers three questions.", name="submit", actor="customer:champion", item="survey",
        content={"item": "survey", "fields": {"score": 5, "comment": "Quick, and always clear who was next."}},
    ),
    Step(
        story="Success accepts the account.", name="decide", actor="kim", item="success_accepts",
        content={"item": "success_accepts", "outcome": "accept"},
    ),
)  # fmt: skip
