"""Which activity is asked for, under which key, and what it is told: of a hook item, and of what takes its work back."""

from onboarding.engine import rules
from onboarding.engine.effects import RunHook
from onboarding.engine.plan import Plan
from onboarding.engine.state import ItemStatus, RunOutcome, RunState, Undoable
from onboarding.engine.turn import Turn
from onboarding.language.model import Item


def arguments(turn: Turn, about: str, more: dict[str, object], only: tuple[str, ...] = ()) -> dict[str, object]:
    """What a hook is told: the run, what it is about, the inputs and facts known now, or only those that `with` names."""
    facts = {**turn.plan.order.inputs, **{name: fact.value for name, fact in turn.state.facts.items()}}
    if only:
        facts = {name: value for name, value in facts.items() if name in only}
    return {"run": turn.state.run, "customer": turn.state.customer, "item": about, "facts": facts, **more}


def call_hook(turn: Turn, item: Item) -> None:
    """Asks for the activity of a hook item."""
    assert item.activity is not None, "a hook has an activity"
    turn.call(
        RunHook(
            key=hook_key(turn, item), activity=item.activity, stage=item.stage, item=item.id, title=item.title,
            round=turn.state.items[item.id].round, check=None, attempts=item.attempts,
            arguments=arguments(turn, item.id, {}, only=item.with_facts),
            backoff=item.backoff, timeout_seconds=item.timeout.seconds if item.timeout else 600,
        )
    )  # fmt: skip


def hook_key(turn: Turn, item: Item) -> str:
    """The identity of a hook in its present round."""
    return f"{turn.state.run}/{item.id}/{turn.state.items[item.id].round}/hook"


def at_work(turn: Turn, failed: str | None) -> tuple[str, ...]:
    """Hooks that are called and not back, and whose work can be taken back, in a run that ends now."""
    unsent = {
        effect.key for effect in turn.effects if isinstance(effect, RunHook)
    }  # asked for in the turn that ends the run
    found = []
    for item in turn.plan.definition.items:
        current = turn.state.items[item.id]
        waits = current.status in (ItemStatus.OPEN, ItemStatus.WAIVED) and current.opened_at and not current.by_person
        if item.undo is not None and waits and item.id != failed and hook_key(turn, item) not in unsent:
            found.append(item.id)
    return tuple(found)


def call_next_undo(turn: Turn) -> None:
    """Asks for the activity that takes back the work that was done last, of what is left, once no hook is at work any more."""
    if turn.state.at_work or not turn.state.undo:
        return
    done = turn.state.undo[-1]
    item = turn.plan.items[done.item]
    assert item.undo is not None, "only hooks with an undo are remembered"
    known = arguments(turn, item.id, {}, only=item.with_facts)
    # What it gave itself is what it takes to find its work again.
    known["facts"] = {**dict(known["facts"]), **done.facts}  # type: ignore[call-overload]
    turn.call(
        RunHook(
            key=undo_key(turn, done), activity=item.undo, stage=item.stage, item=None, title=f"undo {item.title}",
            round=done.round, check=None, attempts=item.attempts, arguments=known,
            backoff=item.backoff, timeout_seconds=item.timeout.seconds if item.timeout else 600,
        )
    )  # fmt: skip


def undo_key(turn: Turn, done: Undoable) -> str:
    """The identity of taking back what a hook did."""
    return f"{turn.state.run}/{done.item}/{done.round}/undo"


def is_wanted_after_the_end(plan: Plan, state: RunState, key: str) -> bool:
    """Whether a call goes on although its run has ended: what takes work back, and what a run that is live does by itself for a stage."""
    what = key.rpartition("/")[2]
    lives_on = plan.order.rules_version >= rules.FINISHES_STAGE_HOOKS and state.outcome is RunOutcome.LIVE
    return what == "undo" or (lives_on and what.startswith(("enter", "exit")))
