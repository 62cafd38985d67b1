"""How a command ends: one place that turns whatever went wrong into a sentence and an exit code.

Where nobody reads any more (`starter.py list | head -1`), a command ends without a word and with 141, as SIGPIPE would end it, and
as 130 is what Ctrl-C leaves. Not with 0: of a command whose verdict nobody has read, a script must not believe that it went well.
Where the answer cannot be written at all (a full disk), it ends with 75: what was asked may be done, and asking again tells.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer
from typer.exceptions import TyperException

from console.printing import hint
from onboarding.errors import DefinitionInvalid, OnboardingError, StartRefused

OK, USAGE, INVALID, UNAVAILABLE, BUG, RETRY, INTERRUPTED, UNREAD = 0, 64, 65, 69, 70, 75, 130, 141

BY_OUTCOME: Mapping[str, int] = {
    "accepted": 0, "duplicate": 0, "held": 0, "rejected": 20, "conflict": 21, "closed": 22, "unknown": 23,
    "too_large": 24, "forbidden": 25, "retry_later": RETRY,
}  # fmt: skip
"""A verdict's outcome as an exit code."""


class Answered(Exception):
    """The command's answer is a refusal: an object with `outcome`, printed as data; the outcome gives the exit code."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = dict(answer)
        super().__init__(self.answer.get("code", ""))


class Misused(Exception):
    """The command line itself is wrong: exit 64 with this sentence."""


def guarded(run: Callable[[], int]) -> int:
    """Runs a command; whatever it raises becomes a sentence and an exit code, never a traceback."""
    try:
        code = _judged(run)
        sys.stdout.flush()
        return code
    except (BrokenPipeError, SystemExit):  # typer and rich turn the one into the other
        return _nobody_reads()
    except OSError as error:
        return _unwritten(error) or _unusable(error) or _bug(error)
    except UnicodeEncodeError as error:
        return _no_text() or _bug(error)
    except Exception as error:
        return _rpc(error) or _bug(error)


def _judged(run: Callable[[], int]) -> int:
    """What a command says no to. The way there may fail, too: nobody may be there to read it."""
    try:
        return run()
    except Answered as no:
        return _answered(no.answer)
    except Misused as wrong:
        return _say(str(wrong), USAGE)
    except TyperException as wrong:
        return _say(_usage(wrong), USAGE)
    except (DefinitionInvalid, StartRefused) as invalid:
        return _invalid(invalid)
    except OnboardingError as error:
        return _known(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def leave(code: int) -> NoReturn:
    """The SDK's native threads can abort or hang an interpreter that ends in the ordinary way, so it does not get the chance."""
    try:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody reads what is left
    finally:
        os._exit(code)


def _say(sentence: str, code: int) -> int:
    hint(sentence)
    return code


def _usage(wrong: TyperException) -> str:
    sentence = wrong.format_message().strip().replace("\n", " ").rstrip(".?")
    context = getattr(wrong, "ctx", None)
    where = f" See {context.command_path} --help." if context is not None else ""
    return f"{sentence[:1].upper()}{sentence[1:]}.{where}"


def _answered(answer: Mapping[str, Any]) -> int:
    from console import printing, tables

    printing.show(answer, tables.verdict)
    return BY_OUTCOME.get(str(answer.get("outcome")), BUG)


def _invalid(error: DefinitionInvalid | StartRefused) -> int:
    """Every fault is data; what to do about it is said beside."""
    from console import printing

    if isinstance(error, DefinitionInvalid):
        rows = [
            {
                "file": error.file, "line": fault.line, "column": fault.column, "place": fault.place, "rule": fault.rule,
                "code": fault.rule, "severity": fault.severity, "message": fault.message, "sentence": fault.message,
            }
            for fault in error.faults
        ]  # fmt: skip
    else:
        rows = [{"place": one.place, "code": one.code, "sentence": one.sentence} for one in error.faults]
    lines = str(error).splitlines()
    printing.show({"faults": rows}, lambda _: "\n".join(lines), rows="faults")
    return _say(" ".join([*getattr(error, "__notes__", ()), "Mend what is listed and try again."]), INVALID)


def _known(error: OnboardingError) -> int:
    from onboarding.errors import CustomerErased, LimitExceeded, PayloadUndecodable
    from runtime.errors import SetupError
    from storage.faults import DatabaseUnavailable
    from storage.read_table import CursorInvalid

    match error:
        case SetupError() | DatabaseUnavailable():
            return _say(str(error), error.exit_code)
        case CursorInvalid():
            return _say(str(error), USAGE)
        case LimitExceeded():
            return _say(str(error), INVALID)
        case CustomerErased():
            return _answered({"outcome": "closed", "code": error.code, "sentence": str(error)})
        case PayloadUndecodable():
            return _say(str(error), UNAVAILABLE)
        case _:
            return _bug(error)


def _rpc(error: Exception) -> int:
    """A server that was there and then said no; 0 when it is something else."""
    from temporalio.service import RPCError, RPCStatusCode as Status

    if not isinstance(error, RPCError):
        return 0
    if error.status in (Status.PERMISSION_DENIED, Status.UNAUTHENTICATED):
        return _say(
            f"The Temporal server refuses this client: {error.message}. Check TEMPORAL_API_KEY or the certificate.",
            UNAVAILABLE,
        )
    if error.status in (
        Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED, Status.RESOURCE_EXHAUSTED, Status.ABORTED,
    ):  # fmt: skip
        return _say(f"The Temporal server did not answer in time ({error.message}). Try again.", RETRY)
    if error.status is Status.NOT_FOUND and "amespace" in error.message:
        return _say(
            f"The Temporal server says: {error.message} Set TEMPORAL_NAMESPACE, or create it.",
            UNAVAILABLE,
        )
    return 0


def _nobody_reads() -> int:
    _give_up(sys.stdout)
    return UNREAD


def _unwritten(error: OSError) -> int:
    """A disk that takes no more; 0 when it is something else."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return 0
    _give_up(sys.stdout)
    return _say(
        f"The answer could not be written ({error.strerror}), though what was asked may be done. "
        "Make room and ask again, with the same --id if it was a message.",
        RETRY,
    )


def _unusable(error: OSError) -> int:
    """A file or folder that the machine does not let us have; 0 when none is named."""
    if error.filename is None:
        return 0
    return _say(
        f"{str(error.filename)!r} cannot be used ({error.strerror}): name another place, or mend its permissions.",
        UNAVAILABLE,
    )


def _no_text() -> int:
    """Names of files may be any bytes, and everything else is text; 0 when all words are."""
    strange = [word for word in sys.argv if not word.isascii() and any("\udc80" <= char <= "\udcff" for char in word)]
    return _say("A word of this command is no UTF-8 text: type it again.", USAGE) if strange else 0


def _give_up(stream: TextIO) -> None:
    """What is still buffered must not be tried again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _bug(error: BaseException) -> int:
    details = "".join(traceback.format_exception(error))
    path = _keep(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(sys.argv[1:2])}\n{details}\n")
    return _say(f"Something unexpected happened ({type(error).__name__}); this is a bug. Details: {path}", BUG)


def _keep(text: str) -> str:
    from runtime.settings import DATA

    for folder in (DATA, Path(tempfile.gettempdir())):
        path = folder / "starter-errors.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError:
            continue
        return str(path)
    return "nowhere, because no file could be written"
