"""From values to payloads and back: what is marked as made to be read, what failures say, and where the codec comes in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    FailureConverter,
    PayloadConverter,
    SerializationContext,
)

from onboarding.errors import PayloadUndecodable
from runtime.codec import CLEAR, UNDECODABLE, PayloadEncryption
from runtime.key_cache import KeyCache

# An answer to a person, not a bug: the place in our code means nothing to its reader.
_ANSWERS: Final = frozenset({"Refused", "StartRefused"})

_TOLD: Final = _ANSWERS | {
    "ProgramFault", "OrderUndecodable", "DatabaseUnavailable", "KeysUnavailable", "CustomerErased", "PayloadUndecodable", "NoRun",
}  # fmt: skip
"""Failures whose message is a sentence of ours that repeats no value. Whoever has no key must be able to read it."""
_HIDDEN: Final = "Encoded failure"
"""In the place of every other message, in the words of the SDK; the UI decodes what stands beside it."""


_TYPES: Final = 256
"""Types of which is known how they are read: more than there are. Where modules are loaded for each run, theirs go again."""
_SHARED: Final = tuple(PydanticPayloadConverter(max_cached_type_adapters=_TYPES).converters.values())


class Converter(PydanticPayloadConverter):
    """As the SDK's for Pydantic, and it knows what is made to be read and what nobody can read."""

    def __init__(self) -> None:
        """Each run has one of its own; how a type is read is found out once for all of them."""
        CompositePayloadConverter.__init__(self, *_SHARED)

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Marks texts that stay clear, see `onboarding/clear.py`; the codec takes the mark off again."""
        payloads = super().to_payloads(values)
        for value, payload in zip(values, payloads, strict=True):
            if getattr(value, "stays_clear", False) is True:
                payload.metadata[CLEAR] = b"yes"
        return payloads

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Raises `PayloadUndecodable` where a value is wanted and a marker stands in its place."""
        for place, payload in enumerate(payloads):
            raw = type_hints is not None and place < len(type_hints) and type_hints[place] is RawValue
            if payload.metadata.get("encoding") == UNDECODABLE and not raw:
                raise PayloadUndecodable
        return super().from_payloads(payloads, type_hints)


class Failures(DefaultFailureConverter):
    """Failures without the stack trace where they are an answer, and with their message encoded where it may hold a value."""

    def __init__(self, encodes: Callable[[], bool]) -> None:
        super().__init__()
        self._encodes = encodes

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """As the default, for each cause as well. The Temporal UI shows a clear message to senders and operators."""
        super().to_failure(exception, payload_converter, failure)
        kind = failure.application_failure_info.type
        if kind in _ANSWERS:
            failure.stack_trace = ""
        if kind not in _TOLD and self._encodes():
            hidden = {"message": failure.message, "stack_trace": failure.stack_trace}
            failure.encoded_attributes.CopyFrom(payload_converter.to_payload(hidden))
            failure.message, failure.stack_trace = _HIDDEN, ""


class _OfARun(DataConverter):
    """As the SDK's, which makes all converters anew for each task, though of ours the codec alone wants to know the run."""

    def with_context(self, context: SerializationContext) -> Self:
        codec = self.payload_codec
        assert isinstance(codec, PayloadEncryption)
        of_the_run = codec.with_context(context)
        if of_the_run is codec:
            return self
        made = copy.copy(self)
        object.__setattr__(made, "payload_codec", of_the_run)  # frozen; nobody else has seen it yet
        return made


def converter(keys: KeyCache | None) -> DataConverter:
    """The one way in which client, worker and replayer convert."""
    codec = PayloadEncryption(keys)

    class OurFailures(Failures):
        """The SDK makes its own, without arguments."""

        def __init__(self) -> None:
            super().__init__(codec.is_on)

    kind: type[FailureConverter] = OurFailures
    return _OfARun(payload_converter_class=Converter, payload_codec=codec, failure_converter_class=kind)
