"""What a run tells the outside: the types of its events, and what each of them says.

Ids, instants and numbers, and words of the definition; nothing that a person wrote, no value of a fact, no handle. What is written here is
a contract with receivers: a type gains optional fields only, and anything else is a new version of it. See docs/events.md.
"""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

VERSION = 1
"""Of every type, until one of them says something else than it did."""


class Told(BaseModel):
    """What every event says: whose it is, and by which definition it came about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = Field(description="The name of the run, as every command takes it.")
    customer: str = Field(description="The id of the customer, as the run was started with.")
    definition: str = Field(description="The id of the definition.")
    version: int = Field(description="Its version.")
    variant: str = Field(description="The variants that were chosen, joined by `+`; empty for none.")


class RunTold(Told):
    """The run itself."""


class HeldTold(Told):
    """The run stands still."""

    side: str = Field(description="On whose side the reason is: customer, provider or third_party.")
    review_at: AwareDatetime = Field(description="When somebody looks at it again.")


class ResumedTold(Told):
    """The run goes on."""

    side: str = Field(description="On whose side the reason was.")
    since: AwareDatetime = Field(description="From when on it stood still.")


class HealthTold(Told):
    """The run does worse, or well again."""

    stage: str = Field(description="The stage it is in; empty between stages.")
    before: str = Field(description="How it did until now: on_track, at_risk, stalled, escalated or on_hold.")


class ClosedTold(Told):
    """The run has ended; the last event of every run."""

    outcome: str = Field(description="live, lost or cancelled.")
    seconds: int = Field(description="From its start to its end.")


class StageTold(Told):
    """A stage in one visit."""

    stage: str = Field(description="The id of the stage.")
    visit: int = Field(description="How often it was entered; 0 for one that was passed over.")
    entered_at: AwareDatetime | None = Field(description="When this visit began.")
    left_at: AwareDatetime | None = Field(description="When it was left.")
    target_at: AwareDatetime | None = Field(description="When it should be left.")


class MilestoneTold(Told):
    """A milestone."""

    milestone: str = Field(description="Its id.")
    stage: str = Field(description="The stage that sets it.")


class ItemTold(Told):
    """An item in one round."""

    item: str = Field(description="The id of the item.")
    stage: str = Field(description="The stage it belongs to.")
    kind: str = Field(description="request, task, approval, event or hook.")
    round: int = Field(description="1, and one more each time it is asked for again.")
    role: str = Field(description="The role that owns it in the definition.")
    side: str = Field(description="On whose side that role is.")
    status: str = Field(description="Where it is now.")
    optional: bool = Field(description="Whether its stage can be left without it.")
    opened_at: AwareDatetime | None = Field(description="When this round was opened.")
    due_at: AwareDatetime | None = Field(description="When it is due.")
    outcome: str | None = Field(description="The outcome, by its name in the definition.")
    late: bool = Field(description="Whether it is, or was, overdue.")
    tacit: bool = Field(description="Whether silence has settled it, as the definition says.")


TYPES: dict[str, tuple[type[Told], str]] = {
    "run.started": (RunTold, "The run has begun."),
    "run.held": (HeldTold, "Its clocks stand still."),
    "run.resumed": (ResumedTold, "Its clocks go on."),
    "run.on_track": (HealthTold, "Nothing is late any more."),
    "run.at_risk": (HealthTold, "Something is late."),
    "run.stalled": (HealthTold, "Nothing has happened in a stage for too long."),
    "run.escalated": (HealthTold, "Somebody was called to help."),
    "run.closed": (ClosedTold, "The run has ended. Nothing follows."),
    "stage.entered": (StageTold, "A stage begins, for the first time or again."),
    "stage.left": (StageTold, "A stage is done."),
    "stage.skipped": (StageTold, "A stage is passed over, as its condition says."),
    "milestone.reached": (MilestoneTold, "A milestone is reached."),
    "milestone.undone": (MilestoneTold, "Its stage was entered again: it is not reached any more."),
    "item.opened": (ItemTold, "Somebody has to do something; a higher `round` says that it is asked for again."),
    "item.answered": (ItemTold, "An answer has come; it may still be checked or reviewed."),
    "item.returned": (ItemTold, "It went back to whoever must answer again."),
    "item.done": (ItemTold, "It is done."),
    "item.skipped": (ItemTold, "It is not needed, or its time has run out and the definition goes on without it."),
    "item.waived": (ItemTold, "The run goes on without it; it is owed."),
    "item.cancelled": (ItemTold, "Nobody needs it any more: its stage or the run was left without it."),
    "item.reopened": (ItemTold, "What was settled is to be done again; `item.opened` follows when somebody can."),
    "item.overdue": (ItemTold, "Its deadline has passed."),
    "item.reassigned": (ItemTold, "Somebody else has it now."),
}
"""Type to what it says and when. Receivers meet them in no other order than that in which they have happened."""

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in TYPES))
"""What a definition may write for all types of one beginning."""


def expanded(named: str) -> tuple[str, ...]:
    """The types that a definition means: one, all of a group, or none for a name that is unknown."""
    if named in GROUPS:
        return tuple(name for name in TYPES if name.startswith(named[:-1]))
    return (named,) if named in TYPES else ()


def schema_id(name: str) -> str:
    """What `dataschema` of an event says: the type and the version of what it tells."""
    return f"urn:onboarding:event:{name}:{VERSION}"


def schema_of(name: str) -> dict[str, Any]:
    """JSON Schema of a whole event of this type, envelope and all. Raises `KeyError` for no type."""
    told, meaning = TYPES[name]
    data = told.model_json_schema(mode="validation")
    data.pop("title", None)
    fixed = {
        "specversion": {"const": "1.0"},
        "type": {"const": name},
        "dataschema": {"const": schema_id(name)},
        "datacontenttype": {"const": "application/json"},
    }
    texts = {
        "id": "Stands for this event at every try: whoever has seen it does nothing. Also in the header webhook-id.",
        "source": "The installation and the run.",
        "subject": "The item, stage or milestone; the run where it is about none.",
        "sequence": "The number of the event in its run, as a text: ten digits, so that texts sort as numbers do.",
    }
    properties: dict[str, Any] = {
        **fixed,
        **{one: {"type": "string", "description": said} for one, said in texts.items()},
        "time": {"type": "string", "format": "date-time", "description": "When the run has done it, UTC."},
        "data": data,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id(name),
        "title": name,
        "description": meaning,
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
    }
