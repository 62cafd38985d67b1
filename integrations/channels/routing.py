"""Which channels a notice tries, in which order: the reader's own wish, then what the installation says for such a notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from integrations.letters import Channel, NotTaken, Reader
from onboarding.engine.effects import Notice, NoticeKind

URGENT: Final = (NoticeKind.ESCALATION, NoticeKind.RETRACTION)
"""What must not wait until somebody reads their mail, and what calls it off by the same way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """For notices that fit in every respect that is named; one that names nothing fits all. `to` are names of channels."""

    to: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    side: str = ""
    role: str = ""
    handle: str = ""
    definition: str = ""
    urgent: bool | None = None

    def fits(self, notice: Notice, reader: Reader) -> bool:
        """Whether it is meant for this notice to this reader."""
        return (
            (not self.kinds or notice.kind in self.kinds)
            and self.side in ("", reader.side or notice.side)
            and (not self.role or self.role in reader.roles)
            and self.handle in ("", notice.to)
            and self.definition in ("", notice.run.rpartition("/")[2])
            and self.urgent in (None, notice.kind in URGENT)
        )


class Routing:
    """Finds the channels of a notice. Without routes every channel is tried, in the order of the file."""

    def __init__(self, channels: Mapping[str, Channel], routes: Sequence[Route] = ()) -> None:
        """`channels` by name, in the order in which they stand in the file."""
        self._channels = channels
        self._routes = tuple(routes) or (Route(to=tuple(channels)),)

    def channels(self, notice: Notice, reader: Reader) -> Sequence[Channel]:
        """The same objects every time. Raises `NotTaken("no_channel")` where none leads to this reader.

        What the reader asks for comes first; the rest of the route stays behind it, because to be reached by another way is better
        than not at all.
        """
        route = next((one for one in self._routes if one.fits(notice, reader)), None)
        names = dict.fromkeys((*reader.channels, *(route.to if route else ())))
        found = [self._channels[name] for name in names if name in self._channels]
        reaching = [one for one in found if not one.sort or reader.addresses.get(one.sort, "").strip()]
        if not reaching:
            raise NotTaken("no_channel")
        return reaching
