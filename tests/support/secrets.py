"""What looks like a secret: the patterns of detect-secrets that are sure of themselves, over any text at once."""

from __future__ import annotations

from collections.abc import Iterator

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.ip_public import IPPublicDetector

PLACEHOLDERS = (
    "password", "pw", "p", "hunter2", "s3cret", "s%40cret", "secret", "x", "eyJzdWIiOiIxIn0.abc", "{port}", "{port}\\\\",
    "https://hooks.slack.com/services/T0/B0/hunter2",
)  # fmt: skip
"""Passwords of made-up addresses, which nobody would have; half of a token in a test, which opens nothing; and the port of a test's server
where an address is disguised as another one."""


def secrets_in(text: str) -> Iterator[tuple[str, str]]:
    """What kind of secret it would be, and what stands there. An address of the internet is none."""
    for kind, detector in sorted(get_mapping_from_secret_type_to_class().items()):
        if not issubclass(detector, RegexBasedDetector) or detector is IPPublicDetector:
            continue
        for pattern in detector.denylist:
            for found in pattern.finditer(text):
                value = next((group for group in found.groups() if group), found[0])
                if value not in PLACEHOLDERS:
                    yield kind, value
