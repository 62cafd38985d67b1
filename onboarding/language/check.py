"""Cross rules."""

from onboarding.language.installation import Installation
from onboarding.language.rules import Faults
from onboarding.language.source import Source


def check(source: Source, installation: Installation, faults: Faults) -> None:
    """Report every fault that needs more than one place of the file."""
