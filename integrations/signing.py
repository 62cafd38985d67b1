"""How what goes out is signed: the form of Standard Webhooks, which receivers check with a library of theirs."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime

from pydantic import SecretStr
from standardwebhooks import Webhook

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
"""Of a key, as the form says."""
MOST_ID = 256
"""Characters of an identity in a header."""


def signed_headers(secret: SecretStr, identity: str, at: datetime, body: bytes) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature` of a body. `at` is the instant of this attempt, with its zone."""
    name = outside_identity(identity)
    signature = Webhook(secret.get_secret_value()).sign(name, at, body.decode("utf-8"))
    return {"webhook-id": name, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def secret_fault(secret: SecretStr) -> str | None:
    """Why nothing can be signed with it, as the end of a sentence; `None` where it can."""
    text = secret.get_secret_value()
    if not text.startswith(PREFIX):
        return f"it does not begin with {PREFIX}"
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return f"what stands behind {PREFIX} is not base64"
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        return f"it has not {LEAST_BYTES} to {MOST_BYTES} bytes"
    return None


def outside_identity(key: str) -> str:
    """A key as it may stand in a header: itself, or its digest where a header could not hold it."""
    fits = len(key) <= MOST_ID and key.isascii() and key.isprintable() and " " not in key
    return key if key and fits else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
