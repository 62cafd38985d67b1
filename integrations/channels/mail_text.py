"""A letter as a mail: what stands in its headers, and its two bodies. Built by the standard library, which folds and encodes."""

from __future__ import annotations

import email.policy
import hashlib
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from integrations.channels.plain_words import lines_of, one_line
from integrations.letters import Letter, NotTaken
from onboarding.mailboxes import mailbox

MOST_SUBJECT = 200
"""Characters; clients show a third of it."""
MOST_NAME = 100
_DIGEST = 40
_STEERS = dict.fromkeys(map(ord, '()<>[]:;@\\,"'), " ")
"""What has a meaning in a list of addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """From whom mails are. `address` and `reply_to` are addresses without a name."""

    address: str
    name: str = ""
    reply_to: str = ""

    @property
    def domain(self) -> str:
        """Under which our own identities of mails are made."""
        return self.address.rpartition("@")[2]


def mail_of(letter: Letter, to: str, sender: Sender, at: datetime) -> EmailMessage:
    """The mail. The same letter has the same `Message-ID` at every try, and all of one run the same thread.

    Raises `NotTaken("address_refused")` where no mail can go to such an address.
    """
    # An address in another alphabet goes to servers that take it as it is, and then so do the other headers.
    policy = email.policy.SMTP if to.isascii() else email.policy.SMTPUTF8
    mail = EmailMessage(policy=policy.clone(cte_type="7bit"))  # not every server takes bodies in eight bits
    try:
        mail["From"] = _mailbox(sender.name, sender.address)
        mail["To"] = _mailbox(letter.reader.name, to)
        if sender.reply_to:
            mail["Reply-To"] = _mailbox("", sender.reply_to)
    except (ValueError, MessageError, IndexError):
        raise NotTaken("address_refused") from None
    mail["Subject"] = _words(letter.subject, MOST_SUBJECT)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = _identity(letter.key, sender)
    # Nobody ever wrote a mail with this identity: it only lets clients show the letters of one run together.
    mail["References"] = _identity(f"run {letter.run}", sender)
    # Out-of-office replies and mail loops end here.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(lines_of(letter.text))
    if letter.html is not None:
        mail.add_alternative(lines_of(letter.html), subtype="html")
    # Last, because the two bodies take every `Content-` header for their own.
    if letter.language.replace("-", "").isalnum() and letter.language.isascii():
        mail["Content-Language"] = letter.language[:20]
    return mail


def address_of(text: str) -> str:
    """A mail address as servers take it: no name, no group, its domain in ASCII. Raises `NotTaken("address_refused")`."""
    found = mailbox(text)
    if found is None:
        raise NotTaken("address_refused")
    return found.address


def _mailbox(name: str, address: str) -> Address:
    # The library forgets the quotes around a name where it folds the line: a comma would then begin another address.
    local, _, domain = address.rpartition("@")
    return Address(_words(name.translate(_STEERS), MOST_NAME), local, domain)


def _words(text: str, most: int) -> str:
    """Words of a header. What looks like an encoded one would be decoded on its way, and could hold a line end."""
    return one_line(text, most).replace("=?", "= ?")


def _identity(key: str, sender: Sender) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:_DIGEST]
    return f"<{digest}@{sender.domain}>"
