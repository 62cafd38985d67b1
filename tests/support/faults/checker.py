"""Whether a loop kept the promise, judged from outside: what clients were told against trail, rows and world. Plain data in, sentences out.

It asks nothing of the program but the core, which plays each run again (retelling.py); where it finds nothing, it says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.trying import AT_ONCE
from onboarding.engine.state import StartOrder
from onboarding.reading.views import state_hash
from tests.support.faults.oplog import Operation, Told
from tests.support.faults.retelling import Retold, Unexplained, retell

TAKEN = ("accepted", "held")
"""Outcomes of an entry that has changed the run."""


@dataclass
class Evidence:
    """What is known of one run when everything has come to rest: what was due at `now` has happened, and later things may have."""

    order: StartOrder
    operations: Sequence[Operation]
    trail: Sequence[Mapping[str, Any]]
    """Rows, in their order."""
    own_trail: Sequence[Mapping[str, Any]]
    """What the run itself tells."""
    refused: Sequence[Mapping[str, Any]]
    """Refused signals, from the rows."""
    status: Mapping[str, Any]
    notices: Mapping[str, str]
    """State of each notice in the outbox, by key."""
    heard: Mapping[str, Counter[str]]
    """How often each key has reached the world, by kind."""
    tries: Mapping[str, int] = field(default_factory=dict)
    """How often each notice was claimed."""
    brought: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Which processes have brought each letter to the world, in their order."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


IN_HAND = AT_ONCE
"""Of so many letters a worker that dies may not have said that they left: they leave side by side, and are marked one by one."""


def check_all(found: Sequence[Evidence], *, repeats: int) -> list[str]:
    """Everything that is wrong with these runs. `repeats`: faults, for each of which the world may have heard a hook once more.

    Each may have cost one process its memory of the letters that it had in hand, and of nothing else: so a letter that was heard again
    was brought by another process, and what the first ones had not marked is bounded for each of them.
    """
    wrong = [one for evidence in found for one in check(evidence)]
    hooks = {key: n - 1 for evidence in found for key, n in evidence.heard["hook"].items() if n > 1}
    if sum(hooks.values()) > repeats:
        wrong.append(
            f"{sum(hooks.values())} hooks were heard again, and {repeats} faults explain one each: {[*hooks][:5]}"
        )
    letters = {
        key: evidence.brought.get(key, ()) for evidence in found for key, n in evidence.heard["notice"].items() if n > 1
    }
    for key, by in letters.items():
        if len(by) != len(set(by)) or len(by) < 2:
            wrong.append(f"{key} was heard again from the same process")
    unmarked = Counter(one for by in letters.values() for one in by[:-1])
    if len(unmarked) > repeats or max(unmarked.values(), default=0) > IN_HAND:
        wrong.append(
            f"{len(letters)} letters were heard again, left unmarked by processes {dict(unmarked)}, and {repeats} faults explain as many "
            f"processes with {IN_HAND} each: {[*letters][:5]}"
        )
    return wrong


def check(evidence: Evidence) -> list[str]:
    """Everything that is wrong with one run."""
    found = [*_told_is_done(evidence), *_signals(evidence), *_rows(evidence)]
    try:
        told = retell(evidence.order, evidence.trail, evidence.operations, evidence.refused)
    except Unexplained as why:
        return [*found, str(why)]
    found += [*_same_story(evidence, told), *_world(evidence, told)]
    return [f"{evidence.order.run}: {one}" if not one.startswith(evidence.order.run) else one for one in found]


def _told_is_done(evidence: Evidence) -> Iterator[str]:
    """Ok is in the trail once, refused is not, unknown is there once or not at all; one id tells one story."""
    effective = Counter(
        entry["message_id"] for entry in evidence.trail if entry["outcome"] in TAKEN and entry["message_id"]
    )
    updates = [one for one in evidence.operations if one.via == "update"]
    for one in updates:
        words = {attempt.told for attempt in one.attempts}
        if {Told.OK, Told.REFUSED} <= words:
            yield f"{one.name} {one.id} was both taken and refused: {one.outcomes}"
        if one.outcomes.count("accepted") + one.outcomes.count("held") > len(one.attempts):
            yield f"{one.name} {one.id} has more answers than questions"
    for message_id, count in effective.items():
        if count > 1:
            yield f"{message_id} is effective {count} times"
    known = {one.id for one in evidence.operations}
    for message_id in effective:
        if message_id not in known:
            yield f"{message_id} is effective, and nobody has sent it"
    for message_id, same in _by_id(updates).items():
        words = [one.told for one in same]
        if Told.OK in words and not effective[message_id]:
            yield f"{same[0].name} {message_id} was accepted and is lost"
        if all(word is Told.REFUSED for word in words) and effective[message_id]:
            yield f"{same[0].name} {message_id} was refused and is effective"
        if words.count(Told.OK) > 1:
            yield f"{message_id} was accepted with two contents"


def _signals(evidence: Evidence) -> Iterator[str]:
    """Each signal that the server took is judged: it is in the trail, or among the refused."""
    judged = Counter(row["message_id"] for row in evidence.refused)
    judged.update({entry["message_id"]: 1 for entry in evidence.trail if entry["message_id"]})
    for one in evidence.operations:
        if one.via == "signal" and one.told is Told.OK and not judged[one.id]:
            yield f"the signal {one.name} {one.id} was taken by the server and never judged"


def _rows(evidence: Evidence) -> Iterator[str]:
    """Rows are what the run says, each once."""
    numbers = [entry["n"] for entry in evidence.trail]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the rows of its trail are not numbered one by one: {_gaps(numbers)}"
    rows, own = [entry["digest"] for entry in evidence.trail], [entry["digest"] for entry in evidence.own_trail]
    if rows[-len(own) :] != own:
        yield f"its rows end with entry {len(rows)}, itself with {evidence.own_trail[-1]['n']}, or they differ on the way"


def _same_story(evidence: Evidence, told: Retold) -> Iterator[str]:
    """The core alone comes to the same end."""
    if told.state.trail[-1].digest != evidence.trail[-1]["digest"]:
        yield "the core tells another story from the same messages and instants"
    if state_hash(told.state) != evidence.status["state_hash"]:
        yield "the core comes to another state from the same messages and instants"


def _world(evidence: Evidence, told: Retold) -> Iterator[str]:
    """What has reached the world is what was decided: no key is missing and none is extra."""
    sent = {key for key, state in evidence.notices.items() if state == "sent"}
    due = {key for key, notice in told.notices.items() if notice.leaves_at <= evidence.now}
    yield from _each(
        "is in the outbox, and nobody has decided it", set(evidence.notices) - set(told.notices) - told.withdrawn
    )
    yield from _each("was decided and is not in the outbox", set(told.notices) - set(evidence.notices))
    yield from _each(
        "was due, was not taken back, and has not left", due - told.withdrawn - sent - _unneeded(evidence, told)
    )
    notices, hooks = evidence.heard["notice"], evidence.heard["hook"]
    yield from _each("counts as sent, and the world has not heard it", sent - set(notices))
    yield from _each("was heard by the world, and nobody has decided it", set(notices) - set(told.notices))
    yield from _each(
        "was heard more often than it was tried", (key for key, n in notices.items() if n > evidence.tries.get(key, n))
    )
    yield from _each("is a hook that was never called", set(told.hooks) - set(hooks))
    yield from _each("is a hook that nobody has asked for", set(hooks) - set(told.hooks))


def _unneeded(evidence: Evidence, told: Retold) -> set[str]:
    """What calls off only words that nobody has heard does not leave either."""
    gone = {key for key, state in evidence.notices.items() if state == "withdrawn"}
    return {key for key, notice in told.notices.items() if notice.retracts and gone.issuperset(notice.retracts)}


def _each(what: str, keys: Iterable[str]) -> Iterator[str]:
    for key in sorted(keys):
        yield f"{key} {what}"


def _by_id(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for one in operations:
        found.setdefault(one.id, []).append(one)
    return found


def _gaps(numbers: Sequence[int]) -> str:
    wrong = [n for n, expected in zip(numbers, range(1, len(numbers) + 1), strict=True) if n != expected]
    return f"{wrong[:5]} of {len(numbers)}"
