"""Hooks: the registry, the examples, and the activity around them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import integrations.hooks
from activities.hooks import RESULT_BYTES, HookActivities
from integrations.examples import EXAMPLES
from integrations.hooks import HookRegistry
from onboarding.errors import HookRefused
from tests.support.records import RUN, a_hook

FILE = {"uri": "s3://b/k", "sha256": "a" * 64, "type": "pdf", "bytes": 10, "name": "tax.pdf"}
PDF = ("pdf", "PDF", "application/pdf", "application/pdf; charset=binary", "application/octet-stream")
CSV = ("csv", "text/csv", "text/csv; charset=utf-8", "application/vnd.ms-excel", "application/octet-stream")
"""As the guide lets files be announced."""


def answer_of(hook: str, **arguments: Any) -> Mapping[str, Any]:
    """What an example says."""
    given = {"run": RUN, "customer": "acme", "item": "x", "facts": {}, "fields": {}, "files": []}
    return HookRegistry().run(hook, {**given, **arguments}, "key")


class TestExamples:
    """Honest, without another system, the same at every attempt."""

    @pytest.mark.parametrize("name", sorted(EXAMPLES))
    def test_every_example_answers_and_says_what_it_does(self, name: str) -> None:
        """It says yes itself, and what it left out."""
        given = {"fields": {"vat_id": "DE136695976"}}
        answer = answer_of(name, **given)

        assert EXAMPLES[name].__doc__
        assert EXAMPLES[name](given)["ok"] is True, "silence never approves"
        assert answer["note"]
        assert answer == answer_of(name, **given)

    def test_a_tenant_is_the_same_at_every_attempt_and_another_for_every_run(self) -> None:
        """A retry must not make a second one."""
        first = answer_of("provision_tenant")["provides"]["tenant_id"]

        assert first == answer_of("provision_tenant")["provides"]["tenant_id"]
        assert first != answer_of("provision_tenant", run="other")["provides"]["tenant_id"]

    @pytest.mark.parametrize(
        ("vat_id", "ok"),
        [
            ("DE136695976", True),
            ("de 136 695 976", True),
            ("FR40303265045", True),
            ("NL004495445B01", True),
            ("EL094259216", True),
            ("CHE100155212MWST", True),
            ("ZZ12345678", True),
            ("DE136695977", False),
            ("DE1", False),
            ("DEFR40303265045", False),
            ("1234567890", False),
            ("", False),
            (None, False),
            (136695976, False),
            ("ÄÖ12345678", False),
            ("--12345678", False),
        ],
    )
    def test_a_vat_id_is_checked_by_the_rules_of_its_country(self, vat_id: object, ok: bool) -> None:
        """A bad one is a fault at its field; a country without known rules passes."""
        answer = answer_of("check_vat_id", fields={"vat_id": vat_id})

        assert answer["ok"] is ok
        assert [fault["place"] for fault in answer["faults"]] == ([] if ok else ["/fields/vat_id"])
        assert not ok or answer["note"]

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"vat_number": "DE136695977", "legal_name": "Bakery"}, "/fields/vat_number"),
            ({"legal_name": "Bakery", "tax_id": "DE136695977"}, "/fields/tax_id"),
            ({"number": "DE136695977"}, "/fields/number"),
            ({"vat_de": "DE136695976", "vat_fr": "FR40303265046"}, "/fields/vat_fr"),
        ],
    )
    def test_a_vat_id_is_looked_for_in_the_fields_that_are_given(self, fields: dict[str, Any], place: str) -> None:
        """Whatever the definition calls it; the fault names the field that exists and not what stands in it."""
        answer = answer_of("check_vat_id", fields=fields)

        assert [fault["place"] for fault in answer["faults"]] == [place]
        assert place.removeprefix("/fields/") in answer["faults"][0]["sentence"]
        assert fields[place.removeprefix("/fields/")] not in answer["faults"][0]["sentence"]

    @pytest.mark.parametrize("fields", [{}, {"legal_name": "Bakery", "seat": "DE"}])
    def test_a_check_that_finds_nothing_to_look_at_does_not_pass(self, fields: dict[str, Any]) -> None:
        """A person looks at the answer then, and reads why."""
        with pytest.raises(HookRefused, match="nothing_to_check"):
            answer_of("check_vat_id", fields=fields)

    @pytest.mark.parametrize(
        ("hook", "change", "places"),
        [
            ("scan_file", {}, []),
            ("scan_file", {"sha256": "A" * 64}, ["/files/0/sha256"]),
            ("scan_file", {"type": "exe"}, ["/files/0/type"]),
            ("scan_file", {"name": "tax.pdf.exe"}, ["/files/0/name"]),
            ("scan_file", {"name": "tax.exe", "type": "exe"}, ["/files/0/name"]),
            ("scan_file", {"type": "application/x-msdownload"}, ["/files/0/type"]),
            ("scan_file", {"type": ""}, ["/files/0/type"]),
            *((hook, {"type": kind}, []) for hook in ("scan_file", "verify_documents") for kind in PDF),
            *((hook, {"type": kind, "name": "a.csv"}, []) for hook in ("scan_file", "profile_export") for kind in CSV),
            ("scan_file", {"bytes": 0, "sha256": None}, ["/files/0/sha256", "/files/0/bytes"]),
            ("scan_file", {"bytes": True}, ["/files/0/bytes"]),
            ("verify_documents", {}, []),
            ("scan_file", {"name": "Extract No. 5"}, []),
            ("verify_documents", {"name": "Extract No. 5"}, []),
            ("verify_documents", {"type": "image/jpeg", "name": "a.JPG"}, []),
            ("verify_documents", {"type": "csv"}, ["/files/0/type"]),
            ("verify_documents", {"type": "text/csv", "name": "a.csv"}, ["/files/0/type"]),
            ("verify_documents", {"name": "tax.dat"}, ["/files/0/name"]),
            ("profile_export", {"type": "csv", "name": "a.csv"}, []),
            ("profile_export", {}, ["/files/0/type"]),
        ],
    )
    def test_files_are_judged_by_their_references(self, hook: str, change: dict[str, Any], places: list[str]) -> None:
        """Every fault at once, each at its place."""
        answer = answer_of(hook, files=[{**FILE, **change}])

        assert [fault["place"] for fault in answer["faults"]] == places
        assert answer["ok"] is (not places)
        for fault in answer["faults"]:
            assert fault["sentence"].startswith("File 1 (")
            assert ": " in fault["sentence"], "the way out stands behind a colon"
            assert "aaaa" not in fault["sentence"]

    def test_one_document_twice_is_a_fault(self) -> None:
        """The second one has the place."""
        answer = answer_of("verify_documents", files=[FILE, {**FILE, "uri": "s3://b/other"}])

        assert [fault["code"] for fault in answer["faults"]] == ["given_twice"]
        assert answer["faults"][0]["place"] == "/files/1"


class TestRegistry:
    """What an installation adds to it."""

    def test_names_are_in_order_and_cover_the_shipped_definitions(self) -> None:
        """Definitions are checked against this list."""
        assert HookRegistry().names == tuple(sorted(EXAMPLES))

    @pytest.mark.parametrize("name", ["", "Scan", "a-b", "9a", "a" * 64, "scan_file"])
    def test_a_name_is_refused_when_it_cannot_be_used_or_is_taken(self, name: str) -> None:
        """Two hooks of one name would depend on the order of imports."""
        with pytest.raises(ValueError, match=r"hook|registered"):
            HookRegistry().register(name, lambda _: {})

    def test_a_hook_gets_the_key_that_makes_it_safe_to_repeat(self) -> None:
        """Whatever it calls can be told the same thing at every attempt."""
        seen: list[object] = []
        registry = HookRegistry({"mine": lambda given: seen.append(given["key"]) or {"ok": True}})

        answer = registry.run("mine", {}, "run:mine:1")

        assert seen == ["run:mine:1"]
        assert answer == {"ok": True, "provides": {}, "faults": [], "note": ""}

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            [],
            "yes",
            {},
            {"note": "Looked at it."},
            {"provides": {"a": 1}},
            {"ok": None},
            {"ok": "yes"},
            {"ok": 1},
            {"ok": True, "provides": []},
            {"ok": True, "faults": {}},
            {"ok": False, "faults": ["bad"]},
            {"ok": False, "faults": [{"place": "/a", "code": "x"}]},
            {"ok": True, "result": 1},
        ],
    )
    def test_an_answer_of_another_form_is_final(self, answer: Any) -> None:
        """No repetition makes a hook answer differently because we cannot read it."""
        with pytest.raises(HookRefused) as caught:
            HookRegistry({"mine": lambda _: answer}).run("mine", {}, "key")

        assert caught.value.code == "hook_answer_invalid"

    def test_installed_packages_replace_examples(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An entry point of our group, under the name of an example and under a new one."""
        points = [
            EntryPoint(name="scan_file", value="tests.edge.test_hooks:installed", group=integrations.hooks.GROUP),
            EntryPoint(name="new_one", value="tests.edge.test_hooks:installed", group=integrations.hooks.GROUP),
        ]
        monkeypatch.setattr(integrations.hooks, "entry_points", lambda group: EntryPoints(points))
        registry = HookRegistry()

        assert registry.register_installed() == ("new_one", "scan_file")
        assert registry.run("scan_file", {}, "key")["note"] == "installed"


class TestActivity:
    """A hook as the server sees it."""

    def run(self, function: Any, **environment: Any) -> Any:
        """One attempt at a hook that is this function."""
        context = ActivityEnvironment()
        context.info = replace(context.info, **environment)
        beats = self.beats = threading.Event()
        count = iter(range(1000))
        context.on_heartbeat = lambda *_: beats.set() if next(count) >= 2 else None
        registry = HookRegistry({"mine": function})
        return context.run(HookActivities(registry).run_hook, a_hook("mine"))

    def test_the_answer_comes_back_as_plain_json(self) -> None:
        """Tuples become lists here and not somewhere on the way."""
        answer = self.run(lambda _: {"ok": True, "provides": {"a": (1, 2)}})

        assert answer == {"ok": True, "provides": {"a": [1, 2]}, "faults": [], "note": ""}

    def test_an_unknown_hook_is_final(self) -> None:
        """The definition names a hook that this worker was not given."""
        with pytest.raises(ApplicationError) as caught:
            ActivityEnvironment().run(HookActivities(HookRegistry()).run_hook, a_hook("nobody"))

        assert (caught.value.type, caught.value.non_retryable) == ("unknown_hook", True)

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            ({"ok": True, "provides": {"a": object()}}, "hook_answer_invalid"),
            ({"ok": True, "provides": {"a": float("nan")}}, "hook_answer_invalid"),
            ({"ok": True, "note": "\ud800"}, "hook_answer_invalid"),
            ({"ok": True, "note": "x" * RESULT_BYTES}, "hook_answer_too_large"),
            ({"ok": True, "note": "ä" * (RESULT_BYTES // 2)}, "hook_answer_too_large"),
        ],
        ids=["an object", "nan", "half a character", "large", "large in bytes"],
    )
    def test_an_answer_that_the_run_could_not_carry_is_final(self, answer: Any, code: str) -> None:
        """A result over two megabytes would end the run, and one that is no JSON would stop it."""
        with pytest.raises(ApplicationError) as caught:
            self.run(lambda _: answer)

        assert (caught.value.type, caught.value.non_retryable) == (code, True)

    def test_a_hook_says_no_in_its_own_words(self) -> None:
        """Code and sentence of the refusal reach the person whose job it becomes."""

        def refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
            raise HookRefused("no_licence", "There is no licence left.")

        with pytest.raises(ApplicationError, match=r"no_licence: There is no licence left\.") as caught:
            self.run(refuse)

        assert caught.value.non_retryable

    @pytest.mark.parametrize("error", [ValueError, KeyError, ConnectionError, TypeError])
    def test_any_other_exception_is_tried_again_without_its_text(self, error: type[Exception]) -> None:
        """An outside system that answers nonsense today may answer sense tomorrow."""

        def fail(_: Mapping[str, Any]) -> Mapping[str, Any]:
            raise error("canary-4711")

        with pytest.raises(ApplicationError) as caught:
            self.run(fail)

        assert not caught.value.non_retryable
        assert "canary" not in str(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(("attempt", "code"), [(1, None), (2, "waits_unreadable")])
    def test_a_database_that_is_away_keeps_no_hook_from_its_first_try(self, attempt: int, code: str | None) -> None:
        """Only a later one may be about work that was begun and lost; it comes again after a while, so that its tries last."""
        context, called = ActivityEnvironment(), []
        context.info = replace(context.info, attempt=attempt)
        hooks = HookRegistry({"mine": lambda _: called.append(1) or {"ok": True}})
        runner = HookActivities(hooks, None, Away())
        if code is None:
            assert context.run(runner.run_hook, a_hook("mine"))["ok"]
        else:
            with pytest.raises(ApplicationError) as caught:
                context.run(runner.run_hook, a_hook("mine"))
            assert (code, False) == (caught.value.type, caught.value.non_retryable)
            assert timedelta(seconds=30) == caught.value.next_retry_delay

        assert [1] * (code is None) == called

    def test_a_long_hook_says_that_it_is_at_work(self) -> None:
        """So that a killed worker is noticed before the limit of the hook."""

        def slow(_: Mapping[str, Any]) -> Mapping[str, Any]:
            assert self.beats.wait(10), "no heartbeat"
            return {"ok": True}

        assert self.run(slow, heartbeat_timeout=timedelta(milliseconds=60))["ok"]
        assert "hook-heartbeat" not in [thread.name for thread in threading.enumerate()]


class Away:
    """What waits cannot be read now."""

    def __getattr__(self, name: str) -> Any:
        """Nothing of it."""
        raise ConnectionError


def installed(_: Mapping[str, Any]) -> Mapping[str, Any]:
    """A hook of an installed package."""
    return {"ok": True, "note": "installed"}
