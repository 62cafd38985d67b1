"""What managers filter runs by in the Temporal UI: registered before the first run, or no run can start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from runtime.errors import Unreachable

SEARCH_ATTRIBUTES: Final[Mapping[str, str]] = {
    "OnboardingCustomer": "Keyword",
    "OnboardingDefinition": "Keyword",
    "OnboardingStage": "Keyword",
    "OnboardingOwner": "Keyword",
    "OnboardingHealth": "Keyword",
    "OnboardingWaitingOn": "Keyword",
    "OnboardingSegment": "Keyword",
    "OnboardingWave": "Keyword",
    "OnboardingDueAt": "Datetime",
    "OnboardingPromisedAt": "Datetime",
    "OnboardingSignedAt": "Datetime",
    "OnboardingEscalations": "Int",
    "OnboardingAsks": "Int",
    "OnboardingFirstValue": "Bool",
}
"""Name and type of every search attribute. A type is what the Temporal command line calls it."""

_CALL: Final = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class AttributeCheck:
    """One search attribute as it should be and as the server has it (`found` is None if it has not)."""

    name: str
    wanted: str
    found: str | None
    added: bool = False

    @property
    def ok(self) -> bool:
        """Whether runs can set it."""
        return self.found == self.wanted

    @property
    def sentence(self) -> str:
        """What is true of it, with the way out where it is wrong."""
        if self.added and self.ok:
            return f"{self.name} was registered as {self.wanted}."
        if self.ok:
            return f"{self.name} is registered as {self.wanted}."
        if self.found is None:
            return (
                f"{self.name} is not registered, so no run can start or go on; "
                "`python starter.py doctor --fix` registers it."
            )
        return (
            f"{self.name} is registered as {self.found}, not as {self.wanted}, which stops every run that "
            "sets it; remove it with `temporal operator search-attribute remove` and run doctor --fix."
        )


async def ensure_search_attributes(client: Client, *, fix: bool = False) -> tuple[AttributeCheck, ...]:
    """Compare the server's search attributes with ours; `fix` registers the missing ones.

    A wrong type cannot be fixed here: the server answers ok to a second registration and changes
    nothing, so types are always listed and compared. Raises `Unreachable` if the server refuses to list.
    """
    found = await _registered(client)
    missing = [name for name in SEARCH_ATTRIBUTES if name not in found]
    if fix and missing:
        request = AddSearchAttributesRequest(namespace=client.namespace)
        for name in missing:
            request.search_attributes[name] = _type_number(SEARCH_ATTRIBUTES[name])
        try:
            await client.operator_service.add_search_attributes(request, timeout=_CALL)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise _refused(client, error) from error
        found = await _registered(client)
    return tuple(
        AttributeCheck(name=name, wanted=wanted, found=found.get(name), added=fix and name in missing)
        for name, wanted in SEARCH_ATTRIBUTES.items()
    )


async def _registered(client: Client) -> dict[str, str]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(request, timeout=_CALL)
    except RPCError as error:
        raise _refused(client, error) from error
    return {name: _type_word(number) for name, number in answer.custom_attributes.items()}


def _refused(client: Client, error: RPCError) -> Unreachable:
    if error.status is RPCStatusCode.NOT_FOUND:
        return Unreachable(
            f"The Temporal server has no namespace {client.namespace!r}.",
            place=client.namespace,
            way_out="Create it with `temporal operator namespace create`, or set TEMPORAL_NAMESPACE.",
            code="namespace_unknown",
        )
    return Unreachable(
        f"The Temporal server did not tell its search attributes: {error.message}.",
        place=client.namespace,
        way_out="The key or certificate needs the right to read and write the namespace's attributes.",
    )


def _type_number(word: str) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{word.upper()}")


def _type_word(number: IndexedValueType.ValueType) -> str:
    """`Keyword` for INDEXED_VALUE_TYPE_KEYWORD; `KeywordList` and later kinds come out readable enough."""
    words = IndexedValueType.Name(number).removeprefix("INDEXED_VALUE_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)
