"""The command line: `python starter.py` alone prints the five commands to begin with, `--help` all of them.

Data goes to stdout, hints to stderr. The commands are in `console/`; this file only opens and closes the door.
"""

from __future__ import annotations

import sys

from console import catalogue


def main(arguments: list[str]) -> int:
    """Runs one command; the exit code (contract, section 3)."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    if not arguments:
        print(catalogue.first_steps())
        return 0
    if arguments[0] in ("-h", "--help", "help"):
        print(catalogue.overview())
        return 0
    from console.leaving import guarded

    return guarded(lambda: catalogue.dispatch(arguments))


if __name__ == "__main__":
    code = 70
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    finally:
        from console.leaving import leave

        leave(code)
