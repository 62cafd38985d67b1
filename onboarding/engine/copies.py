"""Frozen values made and copied quickly: what a dataclass and `dataclasses.replace` do, for values that are made many times a turn.

Note [Filled as a draft]
    A frozen class locks its fields against its own constructor, which goes round the lock once for each of them; `replace` besides
    gathers every field by name first: fifty microseconds for a run, forty times a turn. So a value is filled as a draft, a class of
    the same slots without the lock, and then becomes what it is. Nobody ever sees the draft.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """A copy of a frozen dataclass with slots, some fields changed. `AttributeError` for a field that it does not have."""
    kind: type = type(value)
    copy: T = _copier(kind)(value, changes)
    return copy


def quick(kind: type[T]) -> type[T]:
    """Gives a frozen dataclass with slots, whose fields are all named, a quicker constructor; see Note [Filled as a draft]."""
    whole: type = kind
    # No field begins like these, so that none can take their place.
    known: dict[str, Any] = {
        "_draft": _draft(whole),
        "_kind": kind,
        "_missing": MISSING,
        "_unlocked": object.__setattr__,
    }
    given, filled = [], []
    for one in fields(kind):  # type: ignore[arg-type]
        value = one.name
        if one.default_factory is not MISSING:
            known[f"_make_{one.name}"] = one.default_factory
            value = f"_make_{one.name}() if {one.name} is _missing else {one.name}"
            given.append(f"{one.name}=_missing")
        elif one.default is not MISSING:
            known[f"_default_{one.name}"] = one.default
            given.append(f"{one.name}=_default_{one.name}")
        else:
            given.append(one.name)
        filled.append(f"self.{one.name} = {value}")
    head = f"def __init__(self, *, {', '.join(given)}):"
    made = _written(head, ["_unlocked(self, '__class__', _draft)", *filled, "self.__class__ = _kind"], known)
    made.__annotations__ = kind.__init__.__annotations__
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    whole.__init__ = made  # type: ignore[misc]
    return kind


@cache
def _copier(kind: type) -> Callable[[Any, dict[str, Any]], Any]:
    copied = [f"new.{one.name} = value.{one.name}" for one in fields(kind)]
    changed = ["for name in changes:", "    setattr(new, name, changes[name])"]
    body = ["new = draft()", *copied, *changed, "new.__class__ = kind", "return new"]
    return _written("def copy(value, changes):", body, {"draft": _draft(kind), "kind": kind})


@cache
def _draft(kind: type) -> type:
    return type(f"{kind.__name__}Draft", (), {"__slots__": tuple(one.name for one in fields(kind))})


def _written(head: str, body: list[str], known: dict[str, Any]) -> Callable[..., Any]:
    # Written out, because a loop over names costs four times as much; dataclasses write their constructors in the same way.
    exec("\n".join([head, *(f"    {line}" for line in body)]), known)
    written: Callable[..., Any] = known[head.removeprefix("def ").partition("(")[0]]
    return written
