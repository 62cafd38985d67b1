"""What the language tests share: an installation, and the way from text to faults."""

from onboarding.errors import Fault
from onboarding.language.compile import CompiledFile, compile_definition
from onboarding.language.installation import Installation
from onboarding.language.model import Scale
from runtime.library import check_text, parse

HERE = Installation(
    activities=("check_vat", "make_tenant"),
    templates=("welcome", "received"),
    webhooks=("crm",),
    groups=("implementation",),
)


def faults_in(text: str) -> list[Fault]:
    """Every fault of a text, as the check command reports them."""
    return check_text(text.encode("utf-8", "surrogatepass"), installation=HERE)


def errors_in(text: str) -> list[Fault]:
    return [fault for fault in faults_in(text) if fault.severity == "error"]


def warnings_in(text: str) -> list[Fault]:
    return [fault for fault in faults_in(text) if fault.severity == "warning"]


def compiled(text: str, scale: Scale | None = None) -> CompiledFile:
    return compile_definition(parse(text.encode()), HERE, scale)
