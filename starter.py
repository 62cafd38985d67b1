"""The command line: `python starter.py` alone prints the five commands to begin with, `--help` all of them.

Data goes to stdout, hints to stderr. The commands are in `console/`; this file only opens and closes the door.
"""

from __future__ import annotations

import os
import sys

from runtime.prerequisites import require


def main(arguments: list[str]) -> int:
    """Runs one command; the exit code."""
    from console.leaving import guarded

    open_streams()
    return guarded(lambda: answer(arguments))


def answer(arguments: list[str]) -> int:
    """Greets, lists the commands, or does what one of them is for."""
    from console import catalogue

    fault = os.environ.get("FAULT")
    if fault:
        _arm(fault)

    if arguments and arguments[0] not in ("-h", "--help", "help"):
        return catalogue.dispatch(arguments)
    print(catalogue.overview() if arguments else catalogue.first_steps())
    return 0


def _arm(fault: str) -> None:
    from console import ground
    from console.printing import hint
    from runtime.fault_injection import arm

    hint(arm(fault, environment=ground.settings().environment))


def open_streams() -> None:
    """Every text can be written, whatever the language of the machine; and a stream that was closed (`>&-`) leads nowhere.

    Left closed, its number would go to the next file that is opened, and our words would be written into that.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for life
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]


if __name__ == "__main__":
    require("starter.py")
    code = 70
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    finally:
        from console.leaving import leave

        leave(code)
