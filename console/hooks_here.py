"""The hooks of this installation: those of installed packages, and what the file of ONBOARDING_HOOKS makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from integrations.hooks import HookRegistry


def hooks_here(path: Path | None) -> HookRegistry:
    """Every hook that a definition may name here. Raises `DefinitionInvalid` with the faults of the file."""
    from integrations.hooks import HookRegistry

    hooks = HookRegistry()
    hooks.register_installed()
    if path is not None:
        _take_in(hooks, path)
    return hooks


def _take_in(hooks: HookRegistry, path: Path) -> None:
    # Late: whoever has no such file needs none of the libraries that go out.
    from integrations.addresses import is_closed, network_fault
    from integrations.egress import Egress, refusal
    from integrations.http_hooks import VARIABLES, HttpHook
    from integrations.shipped_hooks import FileScan
    from integrations.signing import secret_fault
    from runtime.hooks_file import read_hooks
    from runtime.outside import Checks

    checks = Checks(url=refusal, signing=secret_fault, network=network_fault, closed=is_closed)
    found = read_hooks(path, checks, installed=hooks.names, variables=VARIABLES)
    outside = Egress(found.inside)
    for name, terms in found.terms.items():
        hooks.limit(name, terms)
        if terms.call is not None:
            hooks.register(name, HttpHook(terms.call, outside), replace=True)
        if terms.scan is not None:
            hooks.register(name, FileScan(terms.scan, outside), replace=True)
