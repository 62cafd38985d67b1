"""What the Temporal server keeps of a run, encrypted: everything that people say, and nothing that managers filter and look at.

`decode` answers for every payload whatever is in it: with what was encrypted, or with a marker that no key will ever open. It
raises in one case only, where nobody can say which of the two it is, because database or master keys are not there now: then the
task must fail and be tried again, since a run that took a marker for the truth would be spoilt for ever.
See docs/decisions/0010-keys-and-payloads.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from runtime.key_cache import Key, KeyCache
from runtime.sealing import NONCE_BYTES, seal, unseal

ENCODING: Final = b"binary/encrypted"
"""As other codecs of Temporal call it, so that its UI knows that there is something to decode."""
KEY_ID: Final = "encryption-key-id"
RUN: Final = "onboarding-run"
UNDECODABLE: Final = b"onboarding/undecodable"
"""The encoding of a marker; it has no content. `workflows/arguments.py` tells what it means to a sender."""
OURS: Final = "onboarding-ours"
"""Set on a marker of a payload that others may open."""
CLEAR: Final = "onboarding-clear"
"""Set by our converter on what was made to be read by everybody, and taken off again before it leaves."""

_LABEL: Final = b"onboarding payload 1"
_SHEET: Final = b"temporal.api.sdk.v1.WorkflowMetadata"
"""The answer of the SDK to the UI's question for the cover sheet: titles, dates and the names of messages."""
_RUN: Final = re.compile(r"onboarding/([^/\s\0]+)/([^/\s\0]+)")
_KEY_ID: Final = re.compile(r"[!-~]{1,100}")
"""What could be an id at all: PostgreSQL cannot even be asked about a zero byte, and what is asked about is kept in memory."""


class NoRun(RuntimeError):
    """Something would be encrypted for nobody: without the name of a run there is no customer, and no key.

    A bug where our own program raises it; the codec server tells it to whoever asked.
    """

    def __init__(self) -> None:
        super().__init__("A payload can only be encrypted for a run, named onboarding/<customer>/<definition>.")


class PayloadEncryption(PayloadCodec, WithSerializationContext):
    """AES-256-GCM under a key of the customer, bound to the run. Without keys it leaves what is sent as it is."""

    def __init__(self, keys: KeyCache | None, run: str | None = None) -> None:
        """Without `run` it decodes payloads of all runs, and encodes none."""
        self._keys = keys
        self._run = run

    def with_context(self, context: SerializationContext) -> PayloadEncryption:
        """The same for one run: payloads of another one are none."""
        match context:
            case WorkflowSerializationContext(workflow_id=run) | ActivitySerializationContext(workflow_id=str(run)):
                return self if run == self._run else PayloadEncryption(self._keys, run)
        return self

    def is_on(self) -> bool:
        """Whether anything is encrypted here."""
        return self._keys is not None and self._keys.is_on()

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypted, but for what is made to be read. Raises `NoRun`, `CustomerErased`, and whatever keeps keys away."""
        return [await self._encoded(one) for one in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypted, or markers; what is not encrypted passes. Raises only what keeps keys away."""
        return [await self._decoded(one) for one in payloads]

    async def _encoded(self, payload: Payload) -> Payload:
        if CLEAR in payload.metadata:
            shown = Payload()
            shown.CopyFrom(payload)
            del shown.metadata[CLEAR]
            return shown
        if self._keys is None or not self._keys.is_on() or payload.metadata.get("messageType") == _SHEET:
            return payload
        customer = _customer(self._run)
        if self._run is None or customer is None:
            raise NoRun
        key = await self._keys.active(customer)
        metadata = {"encoding": ENCODING, KEY_ID: key.id.encode(), RUN: self._run.encode()}
        return Payload(metadata=metadata, data=seal(key.secret, payload.SerializeToString(), _bound(self._run, key.id)))

    async def _decoded(self, payload: Payload) -> Payload:
        encoding = payload.metadata.get("encoding")
        if encoding == UNDECODABLE:
            return marker()  # sent so by somebody: it says nothing of ours
        if encoding != ENCODING:
            return payload
        named = self._named(payload)
        if named is None:
            return marker()
        run, customer, key_id = named
        key = await self._keys.find(key_id, customer) if self._keys is not None else None
        return marker(ours=True) if key is None else _opened(payload.data, run, key)

    def _named(self, payload: Payload) -> tuple[str, str, str] | None:
        """Run, customer and key that a payload names; `None` where it names another run, or nothing that there could be."""
        try:
            run, key_id = (payload.metadata.get(name, b"").decode() for name in (RUN, KEY_ID))
        except UnicodeDecodeError:
            return None
        customer = _customer(run)
        if (
            customer is None
            or (self._run is not None and run != self._run)
            or _KEY_ID.fullmatch(key_id) is None
            or len(payload.data) <= NONCE_BYTES
        ):
            return None
        return run, customer, key_id


def marker(*, ours: bool = False) -> Payload:
    """What stands in the place of a payload that nobody can open.

    `ours`: it names this run and a key as we name them, so somebody with other keys may open it. Nobody will open the others.
    """
    return Payload(metadata={"encoding": UNDECODABLE, **({OURS: b"1"} if ours else {})})


def _opened(data: bytes, run: str, key: Key) -> Payload:
    content = unseal(key.secret, data, _bound(run, key.id))
    if content is None:
        return marker()
    try:
        return Payload.FromString(content)
    except DecodeError:
        return marker()


def _customer(run: str | None) -> str | None:
    """Whose run it is: `workflows/address.py` builds these names, and is above us."""
    found = _RUN.fullmatch(run) if run else None
    return found[1] if found else None


def _bound(run: str, key_id: str) -> bytes:
    """What an encrypted payload is bound to: put into another run, or under another key, it does not open."""
    return b"".join(len(one).to_bytes(4, "big") + one for one in (_LABEL, run.encode(), key_id.encode()))
