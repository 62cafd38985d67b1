"""Everything else that people read, by the library apprise of the extra `notify`.

It makes its connections itself, so an address is looked at before it is used and not when the connection is made, redirects are the
library's affair, and answers have no limit of ours. Whoever cannot live with that uses a webhook.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Sequence
from typing import Any, Final

from pydantic import SecretStr

from integrations.addresses import Network, allowed_addresses
from integrations.channels.plain_words import lines_of, one_line
from integrations.letters import Letter, NotTaken, Postponed

MOST_SUBJECT: Final = 200
SCHEMES_OF_THIS_MACHINE: Final = frozenset(("dbus", "gnome", "glib", "kde", "qt", "macosx", "windows", "syslog"))
"""What shows something on the machine of the worker reaches nobody."""

# Both tell addresses, and the first also what a service has answered.
logging.getLogger("apprise").setLevel(logging.CRITICAL)
logging.getLogger("urllib3").setLevel(logging.WARNING)


def is_installed() -> bool:
    """Whether the extra is there."""
    return importlib.util.find_spec("apprise") is not None


def url_fault(url: SecretStr) -> str | None:
    """Why the library cannot use an address, as a code; `None` where it can."""
    text = url.get_secret_value()
    if text.partition(":")[0].lower() in SCHEMES_OF_THIS_MACHINE:
        return "scheme_not_allowed"
    return None if _plugin(text) is not None else "bad_url"


class NotifyChannel:
    """Fulfils `Channel`. One address of a service for all readers."""

    sort = ""

    def __init__(self, name: str, url: SecretStr, *, inside: Sequence[Network] = (), seconds: float = 10.0) -> None:
        """`inside`: networks that this installation has opened."""
        self.name = name
        self._url, self._inside, self._seconds = url, inside, seconds

    async def send(self, letter: Letter) -> None:
        """Hands the letter to the library, which says only whether it was taken; so whatever it refuses is tried again."""
        import apprise

        plugin = _plugin(self._url.get_secret_value())
        if plugin is None:
            raise NotTaken("bad_url")
        try:
            async with asyncio.timeout(self._seconds):
                await self._look_at(plugin)
                taken = await plugin.async_notify(
                    title=one_line(f"{letter.reader.name or letter.reader.handle}: {letter.subject}", MOST_SUBJECT),
                    body=lines_of(letter.text),
                    body_format=apprise.NotifyFormat.TEXT,
                )
        except TimeoutError:
            raise Postponed("timeout") from None
        except (NotTaken, Postponed):
            raise
        except Exception:
            raise Postponed("broken_answer") from None
        if not taken:
            raise Postponed("not_taken")

    async def hello(self) -> None:
        """Looks at the address; the library offers no way to connect and say nothing."""
        plugin = _plugin(self._url.get_secret_value())
        if plugin is None:
            raise NotTaken("bad_url")
        async with asyncio.timeout(self._seconds):
            await self._look_at(plugin)

    async def close(self) -> None:
        """Holds nothing."""

    async def _look_at(self, plugin: Any) -> None:
        """A service with a host of its own is looked at. Of the others the library knows the host, and ours would be a token."""
        if any("{host}" in template for template in plugin.templates):
            await allowed_addresses(str(plugin.host), int(plugin.port or 443), self._inside)


def _plugin(text: str) -> Any:
    import apprise

    return apprise.Apprise.instantiate(text, suppress_exceptions=True)
