"""AES-256-GCM with a fresh nonce in front: the one place where anything is encrypted.

The library is imported by the first call: it costs 40 ms, and most commands of an installation without keys never need it.
"""

from __future__ import annotations

import os
from typing import Final

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


def seal(secret: bytes, content: bytes, about: bytes) -> bytes:
    """The content, encrypted and bound to what it is about."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(secret).encrypt(nonce, content, about)


def unseal(secret: bytes, sealed: bytes, about: bytes) -> bytes | None:
    """The content; `None` where it was sealed with another secret, for something else, or was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        return None
