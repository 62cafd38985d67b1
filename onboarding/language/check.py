"""Cross rules: everything that needs more than one place of a file. One call reports all faults of one definition."""

from onboarding.language.check_calendars import check_calendars
from onboarding.language.check_items import check_items
from onboarding.language.check_names import check_names
from onboarding.language.check_outside import check_outside
from onboarding.language.check_plan import check_plan, unused
from onboarding.language.check_policies import check_policies, unread
from onboarding.language.checking import Checking
from onboarding.language.installation import Installation
from onboarding.language.lowering import lower
from onboarding.language.places import Path
from onboarding.language.rules import Faults
from onboarding.language.source import Source

Unused = list[tuple[str, Path, str]]


def check(source: Source, installation: Installation, faults: Faults) -> Unused:
    """Report every fault; what is declared and not used is handed back, because a variant may use it."""
    checking = Checking(source, lower(source, digest=""), installation, faults, tuple(source.entries()))
    check_names(checking)
    check_calendars(checking)
    check_outside(checking)
    check_items(checking)
    check_policies(checking)
    check_plan(checking)
    return [*unused(checking), *unread(checking)]
