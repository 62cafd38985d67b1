"""Definition files made to hurt: each with the rules of which one must be told, or with none where it is only unpleasant."""

from __future__ import annotations

from tests.support import large_plans
from tests.support.language_cases import SMALL

_TITLE = "title: A small onboarding"


def _titled(text: str) -> str:
    return SMALL.replace(_TITLE, f"title: {text}")


def _bomb(levels: int = 9) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _inputs(lines: str) -> str:
    return SMALL.replace("  lead: {type: email, required: true}\n", f"  lead: {{type: email, required: true}}\n{lines}")


_ALL = ", ".join(f"t{n}" for n in range(90))
_SETS = "variants:\n" + "".join(f"  - {{id: v{n}, when: 'size(input.numbers) == {n}'}}\n" for n in range(12))
_LONG_CONDITION = " || ".join(["input.seats > 1"] * 4_000)

FILES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    name: (text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, rules)
    for name, (text, *rules) in {
        "alias bomb": (_bomb(), "anchor"),
        "an anchor that holds itself": ("a: &a [*a]\n", "anchor"),
        "merge keys": ("a: {x: 1}\nb:\n  <<: {x: 2}\n", "merge_key"),
        "200,000 brackets": (b"[" * 200_000, "too_deep"),
        "60,000 mappings in one another": ("{a: " * 60_000, "too_deep"),
        "one megabyte": (b"a: b\n" * 200_000, "too_large"),
        "60,000 values": (b"- x\n" * 60_000, "too_many_values"),
        "10,000 items": (large_plans.tasks(10_000), "too_large", "too_many_values"),
        "3,000 items": (large_plans.tasks(3_000), "too_many_items"),
        "a tag that makes objects": ("a: !!python/object/apply:os.system ['id']\n", "tag"),
        "keys that stand twice": (SMALL.replace("version: 1", "version: 1\nversion: 2"), "duplicate_key"),
        "many documents": ("a: 1\n---\n" * 2_000, "several_documents"),
        "a character of zero": ("schema: onboarding/v1\ntitle: a\x00b\n", "control_character"),
        "an escape for the terminal": (_titled('"\\e[2Jcleared"'), "control_character"),
        "half a character": (_titled('"\\ud800"'), "control_character"),
        "bytes that are no text": (b"\xff\xfe" * 100, "not_utf8"),
        "a number of 100,000 digits": (_titled("9" * 100_000), "bad_number", "wrong_type"),
        "no number": (SMALL.replace("version: 1", "version: .nan"), "bad_number", "wrong_type"),
        "words of YAML 1.1": (
            SMALL.replace("default: false", "default: no").replace("default: 5", "default: 0o14"), "default_type",
        ),
        "a time that is no number": (SMALL.replace("version: 1", "version: 12:30:45"), "wrong_type"),
        "90 tasks that all need each other": (large_plans.tasks(90, lambda _: f", needs: [{_ALL}]"), "cycle"),
        "a condition of 60,000 characters": (SMALL.replace("when: input.sso", f'when: "{_LONG_CONDITION}"'), "condition_too_long"),
        "a condition of brackets": (SMALL.replace("when: input.sso", f"when: \"{'(' * 240}true{')' * 240}\""), "condition_nesting"),
        "a pattern that looks back": (_inputs('  odd: {type: string, pattern: "(a)\\\\1"}\n'), "bad_pattern"),
        "a pattern of 60,000 steps": (
            SMALL.replace('pattern: "^[A-Z]{2}"', "pattern: '^[\\pL]{1,60}x$'"), "bad_pattern",
        ),
        "repetitions of repetitions": (
            SMALL.replace('pattern: "^[A-Z]{2}"', "pattern: '(((a{0,30}){0,30}){0,30}){0,30}'"), "bad_pattern",
        ),
        "12 variants that may all hold": (large_plans.tasks(400) + _SETS, "too_many_variants"),
        "1,500 calendars that fall back on each other": (
            large_plans.tasks(1).replace("roles:", "".join(f"  c{n}: {{fallback: c{n + 1}}}\n" for n in range(1_500)) + "roles:"),
            "too_many_items",
        ),
        "a path for a zone": (SMALL.replace("tz: Europe/Berlin", "tz: ../../etc/passwd"), "unknown_zone"),
        "a path for a country": (
            SMALL.replace("holidays: [2026-12-25]", "holidays: [{country: ../../etc, subdivision: '..'}]"), "unknown_country", "wrong_value",
        ),
        "a path for an activity": (SMALL.replace("activity: check_vat", "activity: ../../bin/sh"), "unknown_activity", "bad_id"),
        "a path for an id": (SMALL.replace("id: small", "id: ../../small"), "bad_id"),
        "4,500 unknown keywords": (SMALL + "".join(f"k{n}: 1\n" for n in range(4_500)), "unknown_key"),
        "an unclosed quote": ("a: 'unclosed\n" * 3, "syntax"),
        "tabs": ("schema: onboarding/v1\n\ttitle: x\n", "tab"),
        "a directive": ("%YAML 1.1\n---\na: on\n", "directive"),
        "a mark of byte order and other line ends": ("\ufeff" + SMALL.replace("\n", "\r\n"),),
        "templates": (_titled("'{{ 7 * 7 }} ${x} <% y %> {0.__class__}'"),),
        "letters that look alike and run backwards": (_titled('"\u202eA small onb\u043earding\u2066"'),),
        "a pattern of loops": (SMALL.replace('pattern: "^[A-Z]{2}"', 'pattern: "^(a+)+$"'),),
        "a chain of 500 needs": (large_plans.a_chain(500),),
    }.items()
}  # fmt: skip
