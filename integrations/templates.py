"""The notice templates that this installation knows, each with the words that stand above its lines.

Plain text and no placeholders: nothing of a customer can become part of a template. What a notice is
about stands in its own subject and lines.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """What stands above the lines of a notice. `subject` is used where the notice brings none."""

    subject: str
    intro: str


TEXTS: dict[str, Template] = {
    "welcome": Template("Welcome", "Your onboarding has begun. This is what happens next."),
    "received": Template("Received", "Thank you: this has arrived and needs nothing more from you now."),
    "ask": Template("Something is needed from you", "Please answer the following points."),
    "reminder": Template("A reminder", "The following points are still open."),
    "escalation": Template("This is late", "You are told because the following is not settled in time."),
    "silence": Template("How it stands", "You have not heard from us for a while. This is how your onboarding stands."),
    "goes_on": Template("It goes on", "What you were told about goes on; nothing is left to do."),
    "retraction": Template("Settled", "What you were told about is settled; nothing is left to do."),
    "returned": Template("Please correct this", "The following could not be accepted as it is."),
    "completed": Template("Completed", "The onboarding is complete. This is how it ended."),
    "handover": Template("Handover", "From here on the following people are there for you."),
}  # fmt: skip
"""By name. A definition that names another one is refused with the nearest name."""

TEMPLATES: tuple[str, ...] = tuple(TEXTS)


def text_of(template: str, subject: str, lines: tuple[str, ...]) -> tuple[str, str]:
    """Subject and body of a notice. Raises `KeyError` for a template that is not known."""
    words = TEXTS[template]
    # A line break in a subject would begin a header of its own, wherever the notice leaves as mail.
    one_line = " ".join("".join(char if char.isprintable() else " " for char in subject).split())
    return one_line or words.subject, "\n".join([words.intro, "", *(f"- {line}" for line in lines)])
