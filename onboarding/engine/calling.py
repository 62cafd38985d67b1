"""Which activity is asked for, under which key, and what it is told: of a hook item, and of what takes its work back."""

from onboarding.engine.effects import RunHook
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


def call_next_undo(turn: Turn) -> None:
    """Asks for the activity that takes back the work of the hook that came back last, of those that are left."""
    if not turn.state.undo:
        return
    item = turn.plan.items[turn.state.undo[-1]]
    assert item.undo is not None, "only hooks with an undo are remembered"
    known = arguments(turn, item.id, {}, only=item.with_facts)
    if item.with_facts:  # what it gave itself is what it takes to find its work again
        own = {name: fact.value for name, fact in turn.state.facts.items() if fact.item == item.id}
        known["facts"] = {**dict(known["facts"]), **own}  # type: ignore[call-overload]
    turn.call(
        RunHook(
            key=undo_key(turn, item), activity=item.undo, stage=item.stage, item=None, title=f"undo {item.title}",
            round=turn.state.items[item.id].round, check=None, attempts=item.attempts, arguments=known,
            backoff=item.backoff, timeout_seconds=item.timeout.seconds if item.timeout else 600,
        )
    )  # fmt: skip


def undo_key(turn: Turn, item: Item) -> str:
    """The identity of taking back what a hook did."""
    return f"{turn.state.run}/{item.id}/{turn.state.items[item.id].round}/undo"
