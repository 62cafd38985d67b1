"""The notice templates that every installation has, by name. No imports: whoever checks a definition needs nothing that makes letters."""

from typing import Final

TEMPLATES: Final = (
    "welcome", "received", "ask", "reminder", "escalation", "silence", "goes_on", "retraction", "returned", "completed", "handover",
)  # fmt: skip
"""Each stands in `letter_texts/<language>/`. A definition that names another one is refused with the nearest name,
unless the installation's own folder has it."""
