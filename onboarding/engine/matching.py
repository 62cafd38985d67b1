"""By what an event from outside finds its run: what `signals.<event>.match` names, in its payload and in the order of the run.

The machine asks whether an event that came is about its run; a door that was told no run asks the same about many.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from onboarding.language.model import CUSTOMER


class About(Protocol):
    """Whom a run is about: of a start order, or of what somebody has kept of it."""

    @property
    def customer(self) -> str: ...
    @property
    def inputs(self) -> Mapping[str, Any]: ...


SILENT: Final = object()
"""What a payload says where it does not say anything."""


def steps(path: str) -> tuple[str, ...]:
    """The keys behind `payload.account.id`."""
    return tuple(path.removeprefix("payload.").split("."))


def found(data: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What a payload says there, or `SILENT`."""
    value: Any = data
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return SILENT
        value = value[key]
    return value


def expected(order: About, name: str) -> Any:
    """What an event about this run says under a name of `match`: the customer's key, or an input."""
    return order.customer if name == CUSTOMER else order.inputs.get(name)


def fits(value: Any, wanted: Any) -> bool:
    """Whether two values are the same and of one type: the text `1`, the number and `true` are three."""
    return type(value) is type(wanted) and bool(value == wanted)


def filled(data: Mapping[str, Any], keys: Sequence[str], value: Any) -> dict[str, Any]:
    """The payload with a value there, where it was silent; what it says itself stays."""
    key, *rest = keys
    inner = data.get(key, SILENT)
    if not rest:
        return {**data, key: value} if inner is SILENT else dict(data)
    if inner is SILENT:
        inner = {}
    return {**data, key: filled(inner, rest, value)} if isinstance(inner, Mapping) else dict(data)
