"""Asks whether a package of the locks has a known vulnerability. `make audit` calls it.

    python tools/audit.py [LOCK]…      default: requirements.lock and requirements-local.lock

Ends with 0 where every package was looked up and none has one, 1 where one has, 69 where nobody answered for a package:
silence is no all-clear, which is why this does not rest on the exit code of pip-audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-local.lock")
OK, VULNERABLE, UNAVAILABLE = 0, 1, 69
SECONDS = 600
WAY_OUT = "Run `make audit` where PyPI itself answers, or its mirror carries vulnerabilities; until then nothing is known either way."


def judge(answers: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and sentences from what pip-audit found in each lock."""
    packages = {(one["name"], one.get("version")): one for answer in answers for one in answer["dependencies"]}
    bad = [
        f"{name} {version}: {hit['id']}"
        + (f", mended in {', '.join(hit['fix_versions'])}" if hit.get("fix_versions") else ", not mended yet")
        for (name, version), one in sorted(packages.items(), key=str)
        for hit in one.get("vulns", ())
    ]
    unknown = [one for one in packages.values() if "skip_reason" in one]
    if not packages:
        return UNAVAILABLE, [f"No package was looked at. {WAY_OUT}"]
    if unknown:
        bad.append(f"{len(unknown)} of {len(packages)} packages could not be looked up. {WAY_OUT}")
    if any("vulns" in one and one["vulns"] for one in packages.values()):
        return VULNERABLE, bad
    return (UNAVAILABLE, bad) if unknown else (OK, [f"{len(packages)} packages, none with a known vulnerability."])


def ask(lock: Path) -> dict[str, Any] | None:
    """What pip-audit says of a lock; `None` where it came to no answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    try:
        done = subprocess.run(
            [*command, "--format", "json", "--progress-spinner", "off"],
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return found if isinstance(found, dict) and "dependencies" in found else None


def main(names: Sequence[str]) -> int:
    """Looks at each lock and prints what was found; the exit code."""
    answers = [ask(ROOT / name) for name in names or LOCKS]
    heard = [one for one in answers if one is not None]
    code, told = judge(heard)
    if len(heard) < len(answers):
        code, told = code or UNAVAILABLE, [*told, f"No service told of vulnerabilities. {WAY_OUT}"]
    print("\n".join(told), file=sys.stdout if code == OK else sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
