"""Everything that can go wrong and is not a bug, as one tree.

    OnboardingError
    ├── DefinitionInvalid    a definition or input file does not load; carries every fault
    ├── StartRefused         the start input does not fit the definition; carries every fault
    ├── LimitExceeded        something is larger than a named limit allows
    ├── RecordConflict       a row that is written once exists with other content
    ├── HookRefused          a hook answered, and no repetition will change the answer
    ├── HookPutOff           a hook has no answer yet, and may have one when it is called again
    ├── CustomerErased       the keys of this customer were destroyed
    ├── PayloadUndecodable   something was encrypted with a key that does not exist any more
    └── UnknownRun           no run has this name

A message that a run refuses is no exception: it gets a verdict (`onboarding.messages.Verdict`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file: where, which rule, how bad, and a sentence with the way out.

    `line` and `column` count from 1. `place` is the path inside the file, such as
    `stages[1].requests[0].due`, or empty for the file as a whole.
    """

    line: int
    column: int
    rule: str
    severity: Severity
    message: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity}: {self.message} [{self.rule}]"


class InputFault(Protocol):
    """One thing wrong with a start input: a JSON pointer, a stable code, a sentence without the value."""

    @property
    def place(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def sentence(self) -> str: ...


class OnboardingError(Exception):
    """The root of everything this product raises on purpose.

    Catch it at a door, print its text and leave with the exit code of the kind. Anything else that
    reaches a door is a bug.
    """


class DefinitionInvalid(OnboardingError):
    """A definition or input file cannot be used.

    Raised by `runtime.library` when a file cannot be read or breaks a rule of the language; nothing
    has been started. Show every fault with its place and let the author mend the file (exit code 65).
    Catch it at the door; never compile around it.
    """

    def __init__(self, faults: Sequence[Fault], file: str = "") -> None:
        self.faults = tuple(faults)
        self.file = file
        super().__init__(self.faults, file)

    def __str__(self) -> str:
        prefix = f"{self.file}:" if self.file else ""
        return "\n".join(f"{prefix}{fault}" for fault in self.faults)


class StartRefused(OnboardingError):
    """The start input does not fit the definition's `inputs`, so no run was started.

    Raised while a start order is made. Every fault names its place in the input and never its value:
    mend the input and start again. Catch it at the door that starts runs.
    """

    def __init__(self, faults: Sequence[InputFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(f"{fault.place}: {fault.sentence} [{fault.code}]" for fault in self.faults)


class LimitExceeded(OnboardingError):
    """Something is larger than a named limit of `onboarding.limits` allows.

    Raised before the thing is stored or sent, so nothing is half done. Make it smaller, or split it;
    raising a limit is a change to the product. Catch it where the sender can be told.
    """

    def __init__(self, what: str, limit: int, found: int) -> None:
        self.what = what
        self.limit = limit
        self.found = found
        super().__init__(what, limit, found)

    def __str__(self) -> str:
        return f"{self.what} may be at most {self.limit:,}, found {self.found:,}: make it smaller."


class RecordConflict(OnboardingError):
    """A record that is written once exists already, with other content.

    Raised by a store when a natural key comes again with different values: two runs claim the same
    record, or a record was changed by hand. Never retry; look at both and repair the store.
    """

    def __init__(self, table: str, key: str) -> None:
        self.table = table
        self.key = key
        super().__init__(table, key)

    def __str__(self) -> str:
        return (
            f"{self.table} already holds {self.key!r} with other content: compare both before anything is overwritten."
        )


class HookRefused(OnboardingError):
    """A hook gave an answer that no repetition will change.

    Raised by a hook, or by the registry for a result that is none. `code` is stable; `sentence` is read
    by the person whose job it becomes and holds no value of the customer. Never retry; the definition's
    `on_failure` decides what happens.
    """

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        self.sentence = sentence
        super().__init__(code, sentence)

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class HookPutOff(OnboardingError):
    """A hook could not do its work now: the other side is busy, away, or asks for patience.

    Raised by a hook. It is called again, after `after` seconds where that is known, as often as the definition says. `code` and
    `sentence` as in `HookRefused`.
    """

    def __init__(self, code: str, sentence: str, after: float | None = None) -> None:
        self.code = code
        self.sentence = sentence
        self.after = after
        super().__init__(code, sentence, after)

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class CustomerErased(OnboardingError):
    """The keys of this customer were destroyed, and they never get others.

    Raised where something would be encrypted for them. A customer who returns is started under another name. Catch it at a
    door; inside a worker it fails the task, and the run of an erased customer is closed.
    """

    code = "customer_erased"

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "This customer was erased: their keys are destroyed. Start them anew under another name of a customer."


class PayloadUndecodable(OnboardingError):
    """What was to be read cannot be decoded, now or ever: its key was destroyed or is not one of this installation.

    Raised where a value is wanted and a marker stands in its place. Nothing can bring it back but a key file and a database
    that belong to it. Catch it at a door.
    """

    code = "payload_undecodable"

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return (
            "What was asked for is encrypted and cannot be decoded here: its key was destroyed, or it was made by an "
            "installation with other keys. `python starter.py doctor` looks at the keys of this one."
        )


class UnknownRun(OnboardingError):
    """No run has this name.

    Raised when a command or message names a run that was never started here, or in another namespace.
    Check the spelling and the namespace, or start it. Catch it at the door.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        super().__init__(run)

    def __str__(self) -> str:
        return f"No run {self.run!r} is known here: check the name and the namespace, or start it first."
