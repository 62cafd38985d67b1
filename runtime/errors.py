"""What can be wrong with the ground a process stands on.

SetupError
    SettingsInvalid      a variable or file of the configuration; nothing was started
    Unreachable          no Temporal server answers at the configured address; nothing was sent
    NoTemporalBinary     no usable Temporal command line on this machine
    DevServerFailed      the development server was started and did not become healthy
    KeysUnavailable      the key file is missing, cannot be read, or does not belong to the database
    NotInstalled         what was asked for needs a package of an extra
"""

from __future__ import annotations

from onboarding.errors import OnboardingError


class SetupError(OnboardingError):
    """Something outside the program must be changed before it can work.

    Raised at a door, before anything is done. Doors catch it, print `sentence` and `way_out`, and end
    with `exit_code`, as the contract says; nobody else catches it.
    """

    code = "setup"
    exit_code = 70

    def __init__(self, sentence: str, *, place: str = "", way_out: str = "", code: str = "") -> None:
        """Keep the parts apart, so that a door can print them and a program can read them."""
        super().__init__(sentence)
        self.sentence = sentence
        self.place = place
        self.way_out = way_out
        if code:
            self.code = code

    def __str__(self) -> str:
        """The sentence, and the way out after it."""
        return f"{self.sentence} {self.way_out}".strip()


class SettingsInvalid(SetupError):
    """A variable is unknown, or its value cannot be used. `place` is the variable's name."""

    code = "settings_invalid"
    exit_code = 64


class Unreachable(SetupError):
    """No Temporal server answered within five seconds. `place` is the address."""

    code = "unreachable"
    exit_code = 69


class NoTemporalBinary(SetupError):
    """No step of the search found a Temporal command line that can be used."""

    code = "no_temporal_binary"
    exit_code = 69


class DevServerFailed(SetupError):
    """The development server ended or stayed unhealthy. `place` is its log file."""

    code = "dev_server_failed"
    exit_code = 69


class KeysUnavailable(SetupError):
    """The master keys cannot be used. `place` is the key file; nothing of what stands in it is in the words.

    Also raised while a worker runs: it then fails the task, which is tried again until the keys are there.
    """

    code = "keys_unavailable"
    exit_code = 69


class NotInstalled(SetupError):
    """What was asked for needs a package that this installation does not have. `place` is its name."""

    code = "not_installed"
    exit_code = 69

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs the package {package!r}, which is not installed.",
            place=package,
            way_out=f"Install it: pip install {package!r} (the extra `{extra}` of pyproject.toml), or ask for another form.",
        )
