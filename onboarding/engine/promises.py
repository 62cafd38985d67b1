"""The log of promises: every date that somebody of the customer was told, with who said it, to whom, when and why."""

from datetime import datetime

from onboarding import limits
from onboarding.engine.state import Promise, PromiseKind
from onboarding.engine.turn import ENGINE, Turn, clean
from onboarding.language.model import Side


def told(
    turn: Turn, kind: PromiseKind, name: str, due: datetime | None, to: str, *, by: str = ENGINE, cause: str = "told"
) -> None:
    """A notice to somebody of the customer names a date. The same date said again is the same promise."""
    if due is None or to not in turn.plan.order.customer_contacts:
        return
    last = next(
        (one for one in reversed(turn.state.promises) if (one.kind, one.name, one.to) == (kind, name, to)), None
    )
    if last is None or last.due_at != due:
        side = Side.CUSTOMER if kind is PromiseKind.ITEM else Side.PROVIDER
        keep(turn, kind, name, due, to, by, cause, side, "")


def keep(
    turn: Turn, kind: PromiseKind, name: str, due: datetime, to: str, by: str, cause: str, side: Side, reason: str
) -> None:
    n = turn.state.promise_count + 1
    one = Promise(
        n=n, kind=kind, name=name, due_at=due, at=turn.at, to=to, by=by, cause=cause, side=side, reason=clean(reason)
    )
    turn.set(promises=(*turn.state.promises, one), promise_count=n)


def carry(turn: Turn) -> None:
    """Leaves to the rows what is more than a run carries; the last word on going live is always known."""
    promises, last = turn.state.promises, last_go_live(turn.state.promises)
    if len(promises) > limits.PROMISES_KEPT:
        latest = promises[-limits.PROMISES_KEPT :]
        turn.set(promises=latest if last is None or last in latest else (last, *latest[1:]))


def last_go_live(promises: tuple[Promise, ...]) -> Promise | None:
    """The last word on going live; runs of a release that kept no promises have none."""
    return next((one for one in reversed(promises) if one.kind is PromiseKind.GO_LIVE), None)
