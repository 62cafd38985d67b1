"""What nobody sends on purpose: messages at a limit, runs that are full, faults of ours, notices that reach nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onboarding import limits
from onboarding.engine import machine
from onboarding.engine.calendars import ever_works
from onboarding.engine.effects import DeliverNotice, NoticeKind
from onboarding.engine.events import MessageReceived, NoticeFailed
from onboarding.engine.fullness import content_bytes, remembered_as
from onboarding.engine.order_text import read_order, write_order
from onboarding.engine.orders import build_order
from onboarding.engine.plan import Plan
from onboarding.engine.state import HeldMessage, ItemStatus, Remembered, RunStatus, StartOrder
from onboarding.errors import StartRefused
from onboarding.language.model import ItemKind
from onboarding.messages import Received, Refusal, canonical_json
from onboarding.parsing import parse
from runtime.library import load
from runtime.zones import zone
from tests.support.builders import Run, a_definition, a_run, a_stage, an_item, an_order, at, text
from tests.support.shell import an_order as an_order_of


def waiting_for_an_event() -> Run:
    """A run whose event comes after a hook: what the world says before that is kept."""
    items = (
        an_item("provision", ItemKind.HOOK, "setup", "lead", activity="provision_tenant"),
        an_item("first_use", ItemKind.EVENT, "live", "champion", event="product.used"),
        an_item("talk", ItemKind.TASK, "live", "lead", title="Talk"),
    )
    stages = (a_stage("setup", ("provision",)), a_stage("live", ("first_use", "talk"), needs=("setup",)))
    return a_run(an_order(a_definition(items=items, stages=stages)))


def many_requests(count: int, length: int) -> Run:
    """A run with many requests of one long text, and a task beside them."""
    items = [
        an_item(f"r{n}", ItemKind.REQUEST, "intake", "champion", fields=tuple(text(f"f{n}_{k}") for k in range(length)))
        for n in range(count)
    ]
    items.append(an_item("look", ItemKind.TASK, "intake", "lead"))
    items.append(an_item("yes", ItemKind.APPROVAL, "intake", "lead", outcomes=a_definition().items[4].outcomes[:1]))
    return a_run(an_order(a_definition(items=tuple(items), stages=(a_stage("intake", tuple(one.id for one in items)),),
                                       signals=())))  # fmt: skip


def fill(run: Run) -> int:
    """Answers requests until the run takes no more; how many it took."""
    for n in range(1_000):
        verdict = run.say(
            "submit", "customer:champion", item=f"r{n}", fields={f"f{n}_{k}": "x" * 4_000 for k in range(10)}
        )
        if verdict.code == "run_full":
            assert verdict.outcome == "too_large"
            return n
        assert verdict.outcome == "accepted"
    raise AssertionError("never full")


def read(name: str, **content: Any) -> Received:
    """A signal as it is read when it comes."""
    received = parse(name, content, via="signal", fallback_id="0" * 36)
    assert isinstance(received, Received)
    return received


class TestKept:
    """Early messages at the limits of what may be sent."""

    @pytest.mark.parametrize("more", [{}, {"sent_at": "2026-11-30T09:00Z"}], ids=["as it is", "with a short instant"])
    def test_one_of_the_largest_size_is_applied_when_its_item_opens(self, more: dict[str, Any]) -> None:
        """With the id and the actor we add it is over the limit; it was judged when it came."""
        run = waiting_for_an_event()
        content = {"event": "product.used", "data": {"x": ""}, "actor": "integration:app", **more}
        content["data"]["x"] = "y" * (limits.MESSAGE_BYTES - len(canonical_json(content)))
        decision = machine.apply(run.plan, run.state, MessageReceived(at=run.now, received=read("happen", **content)))
        assert decision.verdict is not None
        assert decision.verdict.outcome == "held"
        run.change(**{name: getattr(decision.state, name) for name in ("held", "remembered", "trail", "trail_count")})

        run.hook("provision")

        assert run.state.items["first_use"].status is ItemStatus.DONE

    @pytest.mark.parametrize(
        "content",
        [
            {"message_id": "m", "actor": "integration:app", "event": "product.used", "colour": "red"},
            {"message_id": "m", "actor": "integration:app", "event": 7},
        ],
        ids=["a field of another release", "another type"],
    )
    def test_one_that_is_no_longer_readable_is_refused_for_all_to_see(self, content: dict[str, Any]) -> None:
        """A release that reads less than the one that kept it loses no run."""
        run = waiting_for_an_event()
        held = HeldMessage(at=run.now, item="first_use", name="happen", content=content, via="signal")
        run.change(held=(held,))

        run.hook("provision")

        assert run.state.items["first_use"].status is ItemStatus.OPEN
        assert [(one.name, one.message_id) for one in run.state.refused] == [("happen", "m")]
        assert [one.outcome for one in run.state.trail if one.message == "happen"] == ["rejected"]
        assert run.state.held == ()


def nested(levels: int) -> Any:
    """A list in a list, so many levels deep."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class TestNesting:
    """How deep a message may go."""

    @pytest.mark.parametrize(
        ("levels", "fits"), [(0, True), (29, True), (30, True), (31, False), (195, False), (900, False)]
    )
    def test_a_message_has_so_many_levels_and_no_more(self, levels: int, fits: bool) -> None:
        """The message is the first level, `data` the second; the sentence tells the limit."""
        content = {"message_id": "m", "actor": "integration:app", "event": "e", "data": {"x": nested(levels)}}

        found = parse("happen", content, via="update", fallback_id="u")

        assert isinstance(found, Received) is fits
        if isinstance(found, Refusal):
            assert (found.outcome, found.faults[0].code) == ("rejected", "nested_too_deep")
            assert str(limits.MESSAGE_LEVELS) in found.faults[0].sentence

    def test_the_deepest_one_that_is_kept_can_be_read_back(self) -> None:
        """A run that goes on as new writes and reads what it keeps."""
        run = waiting_for_an_event()
        assert run.say("happen", "integration:app", event="product.used", data={"x": nested(30)}).outcome == "held"

        order = replace(run.plan.order, snapshot=run.state)

        assert read_order(write_order(order)).snapshot == run.state


class TestFull:
    """A run holds only so much, and is steered and ended all the same."""

    def test_what_is_delivered_stays_within_the_limit(self) -> None:
        """Refused before anything has changed; what hooks are told fits into an activity."""
        run = many_requests(40, 10)

        taken = fill(run)

        assert 0 < taken < 40
        assert content_bytes(run.state) <= limits.CONTENT_BYTES
        assert len(write_order(replace(run.plan.order, snapshot=run.state))) < limits.CARRIED_BYTES

    def test_a_full_run_is_steered_and_ended_all_the_same(self) -> None:
        """Everything that brings nothing more is still taken."""
        run = many_requests(40, 10)
        taken = fill(run)
        steps: tuple[tuple[str, dict[str, Any]], ...] = (
            ("hold", {"reason": "x" * 4_000}),
            ("resume", {}),
            ("note", {"text": "x" * 4_000}),
            ("extend", {"item": f"r{taken}", "due": at(9).isoformat(), "reason": "later"}),
            ("reassign", {"role": "lead", "to": "hugo"}),
            ("complete", {"item": "look"}),
            ("decide", {"item": "yes", "outcome": "go", "comment": "x" * 4_000}),
            ("reopen", {"items": ["look"], "reason": "again"}),
            ("cancel", {"reason": "x" * 4_000}),
        )

        heard = [(name, run.say(name, "henk" if name == "reassign" else "olga" if n < 5 else "hugo", **content).outcome)
                 for n, (name, content) in enumerate(steps)]  # fmt: skip

        assert heard == [(name, "accepted") for name, _ in steps]

    def test_reasons_of_waivers_are_counted(self) -> None:
        """They are the one thing of steering that grows; there is room for them, and an end to it."""
        run = many_requests(40, 10)
        run.say("submit", "customer:champion", item="r0", fields={f"f0_{k}": "x" for k in range(10)})

        for _ in range(1_000):
            run.change(items={**run.state.items, "look": replace(run.state.items["look"], status=ItemStatus.OPEN)})
            verdict = run.say("waive", "henk", item="look", reason="😀" * 4_000)
            if verdict.outcome != "accepted":
                break

        assert verdict.code in ("run_full", "already_waived", "not_entitled")
        assert content_bytes(run.state) <= limits.STATE_BYTES

    def test_at_the_last_message_only_what_ends_the_run_is_taken(self) -> None:
        """A run is never left without an end: not by `cancel`, not by the last item."""
        run = waiting_for_an_event()
        run.hook("provision")
        run.say("happen", "integration:app", event="product.used")
        kept = Remembered(digest="d", outcome="accepted", code="c", item=None, status=None, at=run.now, actor="olga")
        run.change(remembered={f"id{n}": kept for n in range(limits.REMEMBERED_MESSAGES)})
        before = run.state

        assert run.say("note", text="one more").code == "run_full"
        assert run.state == before
        for name, content in (("cancel", {"reason": "enough"}), ("complete", {"item": "talk"})):
            run.state = before
            assert run.say(name, **content).outcome == "accepted"
            assert run.state.status is RunStatus.CLOSED

    def test_long_ids_are_remembered_and_take_no_room(self) -> None:
        """A repeat is a duplicate, other content a conflict, and a thousand of them stay small."""
        run = waiting_for_an_event()
        long, most = "😀" * 128, max(limits.REMEMBERED_ID_BYTES, len(remembered_as("x" * 128)))
        run.say("note", message_id=long, text="hello")

        assert run.say("note", message_id=long, text="hello").outcome == "duplicate"
        assert run.say("note", message_id=long, text="other").code == "id_reused"
        assert run.say("note", message_id=long[:-1] + "x", text="other").outcome == "accepted"
        assert all(len(key.encode()) <= most for key in run.state.remembered)

    def test_an_earlier_release_remembered_long_ids_as_they_are(self) -> None:
        """They are still known."""
        run = waiting_for_an_event()
        long = "x" * 128
        run.say("note", message_id=long, text="hello")
        run.change(remembered={long: next(iter(run.state.remembered.values()))})

        assert run.say("note", message_id=long, text="hello").outcome == "duplicate"


class TestFaults:
    """A bug of ours is no answer: nothing changes, and it is not hidden."""

    def test_a_fault_is_raised_and_nothing_has_changed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What becomes of it is the shell's decision."""
        run = waiting_for_an_event()
        before = run.state

        def broken(*_: object) -> None:
            raise KeyError("a value")

        monkeypatch.setitem(machine.MOVES, "note", broken)

        with pytest.raises(KeyError):
            run.say("note", text="hello")
        assert run.state is before


class TestUndelivered:
    """A notice of its own that could not be brought to its reader."""

    def told(self, run: Run, key: str) -> list[tuple[str, str]]:
        """Who hears what, when this notice fails."""
        before = len(run.effects)
        run.hear(NoticeFailed(at=run.now, key=key, code="bounced"))
        notices = [one.notice for one in run.effects[before:] if isinstance(one, DeliverNotice)]
        assert all(one.kind is NoticeKind.ESCALATION for one in notices)
        return [(one.to, one.subject) for one in notices]

    def test_the_owner_of_the_stage_hears_of_it_once(self) -> None:
        """With who could not be reached; the same failure again is nothing."""
        run = a_run()
        key = f"{run.state.run}/details/1/step0/henk"

        assert self.told(run, key) == [("olga", "Not delivered: Title of details")]
        assert self.told(run, key) == []
        assert [one.code for one in run.state.trail if one.message == "notice"] == ["bounced"]

    @pytest.mark.parametrize("part", ["settled.0/henk", "undelivered.1/henk", "step0/olga"])
    def test_some_failures_stand_only_in_the_trail(self, part: str) -> None:
        """An alarm that was called off, this notice itself, and an owner without a deputy."""
        run = a_run()

        assert self.told(run, f"{run.state.run}/details/1/{part}") == []
        assert [one.code for one in run.state.trail if one.message == "notice"] == ["bounced"]

    @pytest.mark.parametrize("key", ["", "x", "////////", "onboarding/c-1/small/none/1/step0/henk"])
    def test_a_strange_key_is_recorded(self, key: str) -> None:
        """Never an exception."""
        run = a_run()

        assert self.told(run, key) == []


BOTH = """
schema: onboarding/v1
id: both
version: 1
title: Two zones
inputs:
  contacts: {type: contacts, required: true}
calendars:
  provider: {tz: Europe/Berlin, week: mon-fri, hours: "09:00-17:00"}
  customer: {from: input.contacts.tz, week: mon-fri, hours: "09:00-17:00", fallback: provider}
roles:
  lead:     {side: provider, value: dana@provider.example}
  champion: {side: customer, contact: champion}
  admin:    {side: customer, contact: admin}
stages:
  - id: start
    title: Start
    owner: lead
    requests:
      - {id: call, title: Call, owner: champion, due: 2bd, clock: both, fields: {when: {type: string, required: true}}}
      - {id: later, title: Later, owner: admin, due: 2bd, fields: {what: {type: string, required: true}}}
"""


class TestHours:
    """Two sides that never work at the same time."""

    def contacts(self, champion: str, admin: str) -> list[dict[str, str]]:
        """Two people of the customer, each with a zone."""
        return [
            {"role": "champion", "email": "ana@customer.example", "name": "Ana", "tz": champion, "handle": "ana"},
            {"role": "admin", "email": "ben@customer.example", "name": "Ben", "tz": admin, "handle": "ben"},
        ]

    def order(self, tmp_path: Path, champion: str, admin: str) -> StartOrder:
        """The order of the definition above."""
        file = tmp_path / "both.yaml"
        file.write_text(BOTH)
        order, _ = build_order(
            load(str(file)), customer="c-1", inputs={"contacts": self.contacts(champion, admin)}, started_by="dana",
            zones=lambda name: zone(name, 2026, 2030), groups={},
        )  # fmt: skip
        return order

    def test_a_start_that_could_not_go_on_is_refused_with_its_place(self, tmp_path: Path) -> None:
        """And with the item, the zones and the way out; what nobody counts on that clock does not matter."""
        with pytest.raises(StartRefused) as refused:
            self.order(tmp_path, "America/Los_Angeles", "Europe/Berlin")

        (fault,) = refused.value.faults
        assert (fault.place, fault.code) == ("/contacts/0/tz", "no_shared_hours")
        assert all(word in fault.sentence for word in ("'call'", "Berlin", "Los_Angeles", "clock: customer"))
        assert self.order(tmp_path, "Europe/London", "America/Los_Angeles")

    def test_a_pair_that_a_reassignment_brings_together_has_the_provider_s_hours(self, tmp_path: Path) -> None:
        """The run goes on, and says how its dates came about."""
        run = a_run(self.order(tmp_path, "Europe/London", "America/Los_Angeles"))
        assert "both calendars" in run.state.items["call"].due_why

        assert run.say("reassign", "dana", item="call", to="ben").outcome == "accepted"
        assert run.say("extend", "dana", item="call", due=at(9).isoformat(), reason="later").outcome == "accepted"
        assert run.say("submit", "ben", item="call", fields={"when": "now"}).outcome == "accepted"
        assert run.say("reopen", "dana", items=["call"], reason="again").outcome == "accepted"

        assert "provider calendar, because both share no working hour" in run.state.items["call"].due_why

    @pytest.mark.parametrize("tz", ["America/Los_Angeles", "Asia/Tokyo", "Pacific/Auckland"])
    @pytest.mark.parametrize("definition", ["b2b-standard", "document-intake", "quick-start"])
    def test_the_shipped_definitions_start_for_customers_anywhere(self, definition: str, tz: str) -> None:
        """A customer far away is a normal customer: no clock of any item is without hours."""
        given = an_order_of(definition, customer="c-1").inputs["contacts"]
        contacts = [
            {"role": one["role"], "name": "N", "tz": tz, "email": f"{one['role']}@customer.example"} for one in given
        ]

        order = an_order_of(definition, customer="c-1", contacts=contacts)

        plan = Plan(order)
        for item in order.definition.items:
            for handle in order.people.get(item.owner, ()):
                assert ever_works(plan.clock({}, item.clock, handle, item.side))
        assert all(item.clock != "both" for item in order.definition.items)
