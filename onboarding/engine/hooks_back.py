"""What hooks and checks answer, or that they did not."""

from typing import Any

from onboarding import limits
from onboarding.engine import calling, deadlines, flow, fullness, rota, rules, undoing
from onboarding.engine.effects import NoticeKind
from onboarding.engine.notices import say
from onboarding.engine.people import stage_owner
from onboarding.engine.state import ItemStatus, RunOutcome
from onboarding.engine.submitting import after_checks, check_key, facts_of, send_back
from onboarding.engine.turn import Turn, clean
from onboarding.language.model import Item, ItemKind
from onboarding.language.values import check_fields
from onboarding.messages import MessageFault, canonical_json


def hook_answered(turn: Turn, key: str, result: Any) -> bool:
    """A hook or check came back. `False` when nobody waits for this answer any more."""
    found = _waiting_for(turn, key)
    if found is None:
        return False
    item, check = found
    if not isinstance(result, dict):
        return hook_failed(turn, key, "result_unreadable", "It answered something that is no result.")
    faults = _faults_of(result)
    if check is None:
        values, wrong = given_by(item, result)
        if result.get("ok") is False or wrong:
            sentence = (faults or wrong or (MessageFault(place="", code="refused", sentence="it says no"),))[0].sentence
            hook_failed(turn, key, "hook_refused", sentence)
            return True
        if fullness.content_bytes(turn.state) + len(canonical_json(values).encode()) > limits.STATE_BYTES:
            return hook_failed(turn, key, "run_full", "The run holds as much as it may; what came back does not fit.")
        turn.record("hook", item=item.id, code="hook_done", sentence=f"{item.title} is done")
        flow.finish_item(turn, item, "engine")
        turn.learn(values, item.id, "engine")
        undoing.remember(turn, item, values)
        return True
    if not isinstance(result.get("ok"), bool):
        return hook_failed(turn, key, "result_unreadable", "The check did not say whether it is ok.")
    passed = result["ok"] is True
    _set_check(turn, item, check, "passed" if passed else "failed")
    code = "check_passed" if passed else "check_failed"
    said = "; ".join(fault.sentence for fault in faults[:3]) if not passed else ""
    turn.record("check", item=item.id, code=code, sentence=f"{item.checks[check].activity}{': ' if said else ''}{said}")
    if turn.state.items[item.id].status is ItemStatus.DONE:
        _learn_late(turn, item)
    elif not passed and item.checks[check].blocks:
        turn.record("returned", item=item.id, code="answer_returned", sentence=f"{item.title} goes back")
        failed = MessageFault(place="", code="check_failed", sentence="A check of the answer failed.")
        send_back(turn, item, faults or (failed,))
    else:
        after_checks(turn, item)
    return True


def hook_failed(turn: Turn, key: str, code: str, sentence: str) -> bool:
    """A hook or check gave no answer: `on_failure` decides; a check that cannot run is looked at by a person."""
    found = _waiting_for(turn, key)
    if found is None:
        return False
    item, check = found
    if check is not None:
        turn.record("check", item=item.id, code=code, outcome="rejected", sentence=sentence)
        _set_check(turn, item, check, "broken")
        _keep_why(turn, item, item.checks[check].activity, code, sentence)
        after_checks(turn, item)
        return True
    turn.record("hook", item=item.id, code=code, outcome="rejected", sentence=sentence)
    if turn.state.items[item.id].status is ItemStatus.WAIVED:
        _keep_why(turn, item, item.activity, code, sentence)
        return True
    match item.on_failure:
        case "skip":
            _keep_why(turn, item, item.activity, code, sentence)
            flow.finish_item(turn, item, "engine", ItemStatus.SKIPPED, outcome="failed")
        case "fail":
            _keep_why(turn, item, item.activity, code, sentence)
            flow.close_run(turn, RunOutcome.LOST, f"{item.title} failed: {sentence}", failed=item.id)
        case _:
            why = MessageFault(place="", code=code[:64], sentence=clean(sentence))
            turn.item(item.id, by_person=True, opened_at=turn.at, overdue=False, faults=(why,))
            owner, assign_at = rota.first_owner(turn, item)
            turn.item(item.id, owner=owner, assign_at=assign_at)
            deadlines.lay(turn, item)
            turn.opened.append(item.id)
    return True


def back_after_the_end(turn: Turn, key: str, result: Any) -> None:
    """A hook that was at work when its run ended is back: what it did is taken back with the rest."""
    item = undoing.is_back(turn, key)
    if item is None:
        return
    values, wrong = given_by(item, result) if isinstance(result, dict) else ({}, ())
    if isinstance(result, dict) and result.get("ok") is False:
        turn.record("hook", item=item.id, outcome="rejected", code="hook_refused", sentence=f"{item.title}: it says no")
    elif not isinstance(result, dict) or wrong:
        undoing.tell_left(
            turn, item, "result_unreadable", wrong[0].sentence if wrong else "It answered something that is no result."
        )
    else:
        turn.record("hook", item=item.id, code="hook_done", sentence=f"{item.title} is done, after the end")
        undoing.remember(turn, item, values)
    calling.call_next_undo(turn)


def stage_hook_failed(turn: Turn, key: str, code: str, sentence: str) -> None:
    """A hook of entering or leaving a stage failed: nothing waits for it, so the owner of the stage hears of it."""
    about = key.removeprefix(turn.state.run + "/").split("/")
    if len(about) != 3 or about[0] not in turn.plan.stages or not about[2].startswith(("enter", "exit")):
        return
    stage, title = about[0], turn.plan.stages[about[0]].title
    turn.record("hook", item=stage, outcome="rejected", code=code, sentence=sentence)
    lines = (f"A hook of {title} failed: {clean(sentence)}",)
    say(
        turn, NoticeKind.ESCALATION, stage_owner(turn.plan, turn.state, stage), "escalation", f"A hook failed: {title}", lines,
        part=f"{about[1][:9]}.{about[2][:40]}.failed", stage=stage,
    )  # fmt: skip


def given_by(item: Item, result: dict[str, Any]) -> tuple[dict[str, Any], tuple[MessageFault, ...]]:
    """What a hook gives of that for which its definition asks, and what is wrong with it: an activity may tell more."""
    given = _mapping(result.get("provides"))
    return check_fields(
        item.provides, {field.name: given.get(field.name) for field in item.provides}, prefix="/provides"
    )


def _waiting_for(turn: Turn, key: str) -> tuple[Item, int | None] | None:
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        waits = current.status in (ItemStatus.OPEN, ItemStatus.WAIVED) and not current.by_person
        if item.kind is ItemKind.HOOK and waits and current.opened_at and key == calling.hook_key(turn, item):
            return item, None
        looked_at = current.status in (ItemStatus.ANSWERED, ItemStatus.IN_REVIEW, ItemStatus.DONE)
        for index, word in enumerate(current.checks if looked_at else ()):
            if word == "pending" and key == check_key(turn, item, index):
                return item, index
    return None


def _learn_late(turn: Turn, item: Item) -> None:
    """An event settled the item while its answer was looked at: what was delivered is known once nothing speaks against it."""
    current = turn.state.items[item.id]
    words = [word for word, check in zip(current.checks, item.checks, strict=True) if check.blocks]
    if item.event is not None and current.answer is not None and words and all(word == "passed" for word in words):
        turn.learn(facts_of(item, current.answer), item.id, current.answer.by)


def _keep_why(turn: Turn, item: Item, activity: str | None, code: str, sentence: str) -> None:
    """Why nothing came back, for whoever goes on without it: they must not take silence for a yes."""
    if turn.plan.order.rules_version >= rules.TELLS_WHY_A_HOOK_FAILED:
        why = MessageFault(place=activity or "", code=code[:64], sentence=clean(sentence))
        turn.item(item.id, not_made=(*turn.state.items[item.id].not_made, why))


def _set_check(turn: Turn, item: Item, index: int, word: str) -> None:
    words = list(turn.state.items[item.id].checks)
    words[index] = word
    turn.item(item.id, checks=tuple(words))


def _faults_of(result: dict[str, Any]) -> tuple[MessageFault, ...]:
    found = result.get("faults")
    if not isinstance(found, list):
        return ()
    return tuple(
        MessageFault(
            place=clean(one.get("place"), 200),
            code=clean(one.get("code"), 64) or "failed",
            sentence=clean(one.get("sentence")) or "A check of the answer failed.",
        )
        for one in found[:20]
        if isinstance(one, dict)
    )


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
