"""Writes the bill of materials of what an installation installs: each package of requirements.lock with hashes and licence.

    python tools/make_sbom.py [FILE]      default: dist/sbom.cdx.json, CycloneDX 1.6 as JSON

The same lock gives the same file, byte by byte, so that two of them can be compared.
"""

from __future__ import annotations

import re
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
TARGET = ROOT / "dist" / "sbom.cdx.json"
_LOCKED = re.compile(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)[^\n]*((?:\n    --hash=sha256:[0-9a-f]{64}[^\n]*)+)")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
LONGEST_NAME = 100
"""Older packages put the whole text of a licence where its name belongs."""


def locked(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Version and SHA-256 digests of each package of a lock, by its name."""
    return {found[1]: (found[2], tuple(sorted(_HASH.findall(found[3])))) for found in _LOCKED.finditer(text)}


def licence_of(about: Mapping[str, object] | None) -> str | None:
    """What a package says of its licence: an SPDX expression, else a name, else what its classifiers say."""
    if about is None:
        return None
    said = about.get("License-Expression") or about.get("License")
    if isinstance(said, str) and 0 < len(said.strip()) <= LONGEST_NAME and "\n" not in said.strip():
        return said.strip()
    words = about.get_all("Classifier") or () if hasattr(about, "get_all") else ()
    names = [word.rpartition(" :: ")[2] for word in words if word.startswith("License :: ")]
    return ", ".join(names) or None


def installed(name: str) -> metadata.Distribution | None:
    """A package of this environment; some are for another system."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def bill(text: str) -> Bom:
    """The bill of a lock."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType

    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, text))
    bom.metadata.timestamp = None  # the same lock is the same file
    root = Component(name="onboarding-engine", type=ComponentType.APPLICATION, bom_ref="onboarding-engine")
    bom.metadata.component = root
    found = {name: _component(name, version, hashes) for name, (version, hashes) in locked(text).items()}
    for component in found.values():
        bom.components.add(component)
    bom.register_dependency(root, found.values())
    for name, component in found.items():
        bom.register_dependency(component, [found[one] for one in _needs(name) if one in found])
    return bom


def _component(name: str, version: str, hashes: tuple[str, ...]) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    there = installed(name)
    said = licence_of(there.metadata if there is not None else None)
    return Component(
        name=name, version=version, type=ComponentType.LIBRARY, bom_ref=f"{name}=={version}",
        purl=PackageURL("pypi", name=name, version=version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in hashes],
        licenses=[LicenseFactory().make_from_string(said)] if said else [],
    )  # fmt: skip


def _needs(name: str) -> Iterator[str]:
    there = installed(name)
    for text in there.requires or () if there is not None else ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield canonicalize_name(needed.name)


def as_json(text: str) -> str:
    """The bill of a lock as text. Raises `ValueError` where it is no valid one."""
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    written = JsonV1Dot6(bill(text)).output_as_string(indent=2) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(written)
    if wrong is not None:
        raise ValueError(f"The bill is not what CycloneDX wants: {wrong}")
    return written


def licences(text: str) -> Counter[str]:
    """How many packages of a lock have which licence; `not installed here` are those of another system."""
    found: Counter[str] = Counter()
    for name in locked(text):
        there = installed(name)
        said = licence_of(there.metadata) if there is not None else "not installed here"
        found[said or "not said"] += 1
    return found


if __name__ == "__main__":
    lock, target = LOCK.read_text("utf-8"), Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_json(lock), "utf-8")
    print(f"{target}: {len(locked(lock))} packages")
    for licence, count in sorted(licences(lock).items()):
        print(f"{count:4}  {licence}")
