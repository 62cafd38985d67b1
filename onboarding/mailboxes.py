"""What is a mail address: one answer for the files of an installation and for what takes a letter to one.

Note [Names of one's own network]
    A firm's own server may serve names that the world never gave out, such as corp.local, and whoever runs it knows. So a name is judged
    by its shape, and no name server is asked. The library refuses the names that are kept back whatever it is told, all but `.test`:
    it is asked about that one in their place. Forms are stricter, and stay so; see Note [Same answer for ever].
"""

import re
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email

_KEPT_BACK: Final = re.compile(r"(?i)(?<=[@.])(?:arpa|invalid|local|localhost|onion)(?=>?\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A mail address, and the name that stood before it."""

    address: str
    """As servers take it: in ASCII, where it can be written so."""
    is_ascii: bool
    name: str = ""


def mailbox(text: str, *, named: bool = False) -> Mailbox | None:
    """A mail address, which a name may stand before where it is `named`, or `None` for what is none."""
    kept_back = _KEPT_BACK.search(text.strip())
    try:
        found = validate_email(
            _KEPT_BACK.sub("test", text.strip()), check_deliverability=False, globally_deliverable=False, test_environment=True,
            allow_display_name=named, allow_quoted_local=False, allow_domain_literal=False,
        )  # fmt: skip
    except (EmailNotValidError, UnicodeError):
        return None
    address = str(found.ascii_email or found.normalized)
    if kept_back is not None:
        address = address.removesuffix("test") + kept_back[0].lower()
    return Mailbox(address=address, is_ascii=found.ascii_email is not None, name=found.display_name or "")
