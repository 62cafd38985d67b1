"""Where a run lives and what its messages are called: every name that a client must know, built and parsed here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onboarding import messages
from onboarding.parsing import content_digest

TASK_QUEUE = "onboarding"
"""The task queue where nothing else is configured."""

WORKFLOW_TYPE = "OnboardingRun"

MESSAGES: tuple[str, ...] = tuple(messages.BY_NAME)
"""Names of the updates, and of the signals."""

QUERIES: tuple[str, ...] = (
    "status", "open_items", "why", "gate", "ledger", "trail", "customer_view", "refused",
)  # fmt: skip

_PREFIX = "onboarding"
_RUN = re.compile(rf"^{_PREFIX}/([^/\s\ud800-\udfff]+)/([^/\s\ud800-\udfff]+)$")
"""Half a character is in no name: the server could not be asked for it."""
_DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class RunName:
    """A run's name in its two parts."""

    customer: str
    definition: str

    def __str__(self) -> str:
        return workflow_id(self.customer, self.definition)


def workflow_id(customer: str, definition: str) -> str:
    """The name of the one run of this customer through this definition."""
    return f"{_PREFIX}/{customer}/{definition}"


def parse_run(name: str) -> RunName | None:
    """The parts of a run's name, or `None` if it is none. `customer/definition` is enough."""
    found = _RUN.match(name) or _RUN.match(f"{_PREFIX}/{name}")
    return RunName(found[1], found[2]) if found else None


def update_id(message_id: str, name: str, content: Mapping[str, Any]) -> str:
    """The id under which a message is sent as an update.

    The server answers a known update id with the first result, whatever it carries now. With a digest in the id a true
    repeat still costs nothing, and an id used again for something else reaches the run, which says `id_reused`.
    """
    return f"{message_id}:{content_digest(name, content)[:_DIGEST_LENGTH]}"
