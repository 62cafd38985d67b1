"""A template shows what it is given, and can neither reach nor do anything else: not read, not compute, not go on for ever."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from integrations.letters import Reader
from integrations.rendering import READABLE, TemplateRenderer
from integrations.template_check import broken, sample_notice
from integrations.template_folders import SHIPPED, Folders
from integrations.template_language import MOST_CHARACTERS, MOST_SOURCE
from onboarding.engine.effects import NoticeKind
from onboarding.matter import Matter

SECONDS = 5.0
"""A hostile template that is refused, or stopped, ends far sooner, also on a busy machine."""

ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ reader.__class__ }}", "{{ reader['__class__'] }}", "{{ reader|attr('__class__') }}",
    "{{ words.__init__.__globals__ }}", "{{ words['__class__'] }}", "{{ words.items() }}", "{{ lines.__add__ }}", "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}", "{{ loop }}", "{% for x in lines %}{{ loop.__init__.__globals__ }}{% endfor %}", "{{ cycler.__init__ }}",
    "{{ lipsum.__globals__['os'].environ }}", "{{ joiner }}", "{{ namespace() }}", "{{ dict(a=1) }}", "{{ range(3) }}", "{{ config }}", "{{ request }}",
    "{{ environ }}", "{{ _budget }}", "{{ _budget.steps }}", "{% set _budget = 1 %}", "{{ ''|_step }}", "{{ '{0.__class__}'.format(reader) }}",
    "{{ '%s'|format(reader) }}", "{{ '%c' % 0x41 }}", "{{ subject.encode() }}", "{{ subject|map('upper') }}", "{{ lines|sort(attribute='__class__') }}",
    "{{ lines|selectattr('__class__') }}", "{{ reader|pprint }}", "{{ reader|tojson }}", "{{ subject|safe }}", "{{ subject|xmlattr }}",
    "{% include '/etc/passwd' %}", "{% include subject %}", "{% import 'os' as os %}", "{% from 'os' import environ %}", "{% extends '/etc/passwd' %}",
    "{% extends '../../../../../../etc/passwd' %}", "{% extends '../pyproject.toml' %}", "{% extends subject %}", "{% autoescape false %}{{ subject }}{% endautoescape %}",
    "{% with a = 1 %}{{ a }}{% endwith %}", "{{ super.__globals__ }}", "{{ super() }}", "{% do lines.append(1) %}", "{{ caller() }}", "{{ varargs }}",
)  # fmt: skip

ENDLESS = (
    "{% for i in range(100000000) %}x{% endfor %}", "{{ 'x' * 1000000000 }}", "{{ 9 ** 9 ** 9 }}", "{{ 'a' ~ 'b' }}", "{{ 'x'|center(1000000000) }}",
    "{{ '%1000000000d' % 1 }}", "{{ '{:>1000000000}'.format(1) }}", "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}", "{% for a in lines recursive %}{{ loop(lines) }}{% endfor %}",
    "{% set a %}{{ subject }}{{ subject }}{% endset %}", "{% filter upper %}x{% endfilter %}", "{% set a = subject|join(subject) %}{% set a = a|join(a) %}{% set a = a|join(a) %}{{ a }}",
    "{% for a in subject %}{% for b in subject %}{% for c in subject %}{% for d in subject %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in subject %}{% for b in subject %}{% for c in subject %}{% for d in subject %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "{% extends 'ask.txt.j2' %}", "{{ " + "(" * 5000, "{{ " + "not " * 5000 + "1 }}", "x" * (MOST_SOURCE + 1), "{% if 1 %}" * 3000,
    "{{ " + "[" * 500 + "]" * 500 + " }}", "{{ lines|lower|upper|trim|" + "upper|" * 3000 + "upper }}",
)  # fmt: skip


def own(folder: Path, content: str, name: str = "en/ask.txt.j2") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return folder


def told(folder: Path) -> list[tuple[str, int, str]]:
    return [(one.path.name, one.fault.line, one.fault.code) for one in broken(folder, "en")]


@dataclass(frozen=True)
class Named:
    """Knows which definition a run is of."""

    definition: str

    def matter(self, run: str, reader: str, *, stage: str | None, items: object, side: str) -> Matter:
        """Nothing else."""
        return Matter(known=True, definition=self.definition)


class Nothing:
    """Fulfils `onboarding.matter.About`."""

    def matter(self, *given: object, **more: object) -> Matter:
        return Matter()


def test_no_template_reaches_what_it_was_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each classic way out of a sandbox is refused when the template is looked at, and shows nothing where it is used all the same."""
    monkeypatch.setenv("ONBOARDING_TEST_CANARY", "zephyrine-4711")
    for escape in ESCAPES:
        folder = own(tmp_path, escape)
        letter = TemplateRenderer(Nothing(), Folders(folder, readable=READABLE)).letter(
            sample_notice("ask"), Reader(handle="x", language="en")
        )

        assert told(folder), escape
        assert letter.text.startswith("Hello,\n\nPlease answer"), escape
        for secret in ("zephyrine", "root:x:", "object at 0x", "<class"):
            assert secret not in letter.subject + letter.text + (letter.html or ""), escape
    print(f"\n  S7: {len(ESCAPES)} ways out of a template's sandbox: all refused, 0 values reached")


def test_no_template_goes_on_for_ever(tmp_path: Path) -> None:
    """It is refused when it is read, or stopped while it is used; the letter is the shipped one."""
    longest = 0.0
    for endless in ENDLESS:
        folder, began = own(tmp_path, endless), time.monotonic()
        notice = sample_notice("ask")
        letter = TemplateRenderer(Nothing(), Folders(folder, readable=READABLE)).letter(
            notice, Reader(handle="x", language="en")
        )
        broken(folder, "en")
        longest = max(longest, time.monotonic() - began)

        assert len(letter.text) + len(letter.html or "") <= 2 * MOST_CHARACTERS, endless[:60]
        assert "\n\nWhat is missing\n" in letter.text, endless[:60]
    print(f"\n  S7: {len(ENDLESS)} templates that never end or grow without bounds: the longest took {longest:.2f} s")
    assert longest < SECONDS


@pytest.mark.parametrize(
    ("content", "line", "code", "words"),
    [
        ("{% extends 'letter.txt.j2' %}\n{% block intro %}\n{{ readr.name }}{% endblock %}", 3, "unknown_variable", "did you mean 'reader'?"),
        ("\n{{ reader.nam }}", 2, "unknown_variable", "did you mean 'name'?"),
        ("{% for p in points %}\n\n{{ p.tite }}{% endfor %}", 3, "unknown_variable", "did you mean 'title'?"),
        ("{{ words.missng }}", 1, "unknown_variable", "did you mean 'missing'?"),
        ("{% if not missing %}\n{{ points[0].tite }}{% endif %}", 2, "unknown_variable", "'tite'"),
        ("{% if kind == 'escalation' %}\n{{ points[0].titel }}{% endif %}", 2, "unknown_variable", "did you mean 'title'?"),
        ("{% if kind == 'never' %}\n{{ (points|first)['titel'] }}{% endif %}", 2, "unknown_variable", "did you mean 'title'?"),
        ("{% if kind == 'never' %}\n{{ item.title }}{% endif %}", 2, "unknown_variable", "'item' has no 'title'"),
        ("{% if kind == 'never' %}\n{{ points.title }}{% endif %}", 2, "unknown_variable", "'points' has no 'title'"),
        ("{% if kind == 'never' %}\n{{ answers.custmer }}{% endif %}", 2, "unknown_variable", "did you mean 'customer'?"),
        ("{% if kind == 'escalation' %}\n{{ step|join(', ') }}{% endif %}", 2, "template_failed", "TypeError"),
        ("{% set all = points %}\n{% for p in all %}{% if kind == 'digest' %}\n{{ p.titel }}{% endif %}{% endfor %}", 3, "unknown_variable", "titel"),
        ("{% extends 'letter.txt.j2' %}\n\n{% set points = 3 %}", 3, "template_failed", "TypeError"),
        ("a\n{% if %}", 2, "template_syntax", "Expected an expression"),
        ("{% extends 'leter.txt.j2' %}", 1, "unknown_template", "'leter.txt.j2'"),
        ("{{ 'a' + 'b' }}", 1, "template_syntax", "computes nothing"),
        ("{{ subject|uper }}", 1, "template_syntax", "No filter named 'uper'"),
        ("{{ step|join(', ') }}", 1, "template_failed", "TypeError"),
        ("{% extends 'letter.txt.j2' %}\n{% block itro %}x{% endblock %}", 2, "unknown_block", "did you mean 'intro'?"),
        ("{% if run %}" * 150 + "x" + "{% endif %}" * 150, 1, "template_syntax", "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_template_is_told_with_its_line(
    tmp_path: Path, content: str, line: int, code: str, words: str
) -> None:
    """A name that nobody has comes with the nearest one; also what stands where a usual letter does not come."""
    (found,) = broken(own(tmp_path, content), "en")

    assert ("ask.txt.j2", line, code) == (found.path.name, found.fault.line, found.fault.code)
    assert words in found.fault.sentence


@pytest.mark.parametrize("name", ["ask", "escalation", "silence", "kickoff"])
def test_each_template_is_tried_as_letters_of_every_kind(tmp_path: Path, name: str) -> None:
    """Its own among them: an alarm is no ask, and a definition may use one of its own for anything."""
    for kind in NoticeKind:
        folder = own(
            tmp_path, f"{{% set all = points %}}\n{{% if kind == '{kind}' %}}\n{{{{ all.x }}}}{{% endif %}}", f"en/{name}.txt.j2"
        )  # fmt: skip

        assert [(f"{name}.txt.j2", 3, "unknown_variable")] == told(folder), kind


def test_a_broken_template_is_told_once_and_not_of_the_layout_that_it_extends(tmp_path: Path) -> None:
    """The layout is tried with letters of every kind, one of which is broken."""
    own(tmp_path, "{% block subject %}{% endblock %}{% block intro %}{% endblock %}{{ greeting }}", "letter.txt.j2")
    own(
        tmp_path,
        "{% extends 'letter.txt.j2' %}\n{% block intro %}{{ step|join }}{% endblock %}",
        "en/escalation.txt.j2",
    )
    own(tmp_path, "{% extends 'letter.txt.j2' %}\n{% block intro %}{% if %}{% endblock %}", "en/silence.txt.j2")

    assert [("escalation.txt.j2", 2, "template_failed"), ("silence.txt.j2", 2, "template_syntax")] == told(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{% for item in points %}{{ item.title }}{% endfor %}{{ (points|first|default(reader)).nonsense is defined }}",
        "{% set p = lines %}{{ p|join(', ') }}{{ answers.customer is defined }}{{ words['missing'] }}{{ item }}",
        "{% for one in points %}{{ loop.index }} {{ one['title'] }}{% endfor %}{% if points %}{{ points[0].title }}{% endif %}",
    ],
)
def test_a_template_that_can_be_used_is_left_alone(tmp_path: Path, content: str) -> None:
    assert () == broken(own(tmp_path, content, "en/escalation.txt.j2"), "en")


@pytest.mark.parametrize(
    ("content", "words"),
    [("[words]\nhello = 3 x\n", "line 2, column 11"), ("[wrds]\na = 'b'", "no table 'wrds'"), ("[words]\nhello = 3", "'hello'"), ("[dates]\nmonths = ['Jan']", "12 words"),
     ("[words]\nhelo = 'Salut {name},'", "did you mean 'hello'?"), ("[words]\nhello = 'Salut {nme},'", "did you mean 'name'?"),
     ("[answers]\ncustomer = 'Reply to {url}'", "run, items, item, handle"), ("[said]\n'Received: {title}' = 'Vu : {titel}'", "did you mean 'title'?")],
)  # fmt: skip
def test_a_language_file_that_cannot_be_used_is_told(tmp_path: Path, content: str, words: str) -> None:
    """By its path, and what is wrong with it."""
    (found,) = broken(own(tmp_path, content, "fr/language.toml"), "en")

    assert ("language.toml", "language_file") == (found.path.name, found.fault.code)
    assert words in found.fault.sentence


def test_a_folder_or_language_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A wrong path would mean the shipped letters, and nobody would notice."""
    assert ["no_folder"] == [one.fault.code for one in broken(tmp_path / "none", "en")]
    assert ["unknown_language"] == [one.fault.code for one in broken(tmp_path, "fr")]
    assert () == broken(None, "en")


def test_only_what_a_definition_may_use_is_looked_at_for_it(tmp_path: Path) -> None:
    """Another definition's broken template is none of its business."""
    own(tmp_path, "{{ nope }}", "alpha/en/ask.txt.j2")
    own(tmp_path, "{{ nope }}", "de/ask.txt.j2")

    assert ["alpha", ""] == [
        one.path.parts[-3] if "alpha" in one.path.parts else "" for one in broken(tmp_path, "en", "alpha")
    ]
    assert ["de"] == [one.path.parent.name for one in broken(tmp_path, "en", "beta")]
    assert 2 == len(broken(tmp_path, "en"))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("letter.txt.j2", "unknown_variable"), ("letter.html.j2", "unknown_variable"), ("en/letter.txt.j2", "unknown_variable"),
        ("ask.txt.j2", "unread_template"), ("small/ask.txt.j2", "unread_template"), ("en/ask.j2", "unread_template"),
        ("fr/ask.txt.j2", "unread_template"), ("EN/ask.txt.j2", "unread_template"), ("en/small/ask.txt.j2", "unread_template"),
        ("en/kickoff.html.j2", "unknown_template"),
    ],
)  # fmt: skip
def test_a_file_that_no_letter_would_be_made_of_is_told(tmp_path: Path, name: str, code: str) -> None:
    """Whoever wrote it would see the shipped letter, and not know why. A layout is looked at as what it is."""
    found = broken(own(tmp_path, "Hello" if code != "unknown_variable" else "{{ nope }}", name), "en")

    assert (tmp_path / name, code) in [(one.path, one.fault.code) for one in found]


@pytest.mark.parametrize("definition", ["small", "kyc", "eu-standard"])
def test_a_definition_has_templates_of_its_own_whatever_it_is_called(tmp_path: Path, definition: str) -> None:
    """Some are called as a language could be."""
    folder = own(
        tmp_path,
        "{% extends 'letter.txt.j2' %}{% block intro %}Only here.{% endblock %}",
        f"{definition}/en/ask.txt.j2",
    )
    notice = replace(sample_notice("ask"), run=f"onboarding/acme/{definition}")
    letter = TemplateRenderer(Named(definition), Folders(folder, readable=READABLE)).letter(notice, Reader(handle="x"))

    assert "Only here." in letter.text
    assert () == broken(folder, "en")


@pytest.mark.parametrize(
    ("language", "line"), [("de", "Title of papers ist jetzt bei Ihnen."), ("en", "Nothing from you now.")]
)
def test_who_changes_one_word_of_a_shipped_language_keeps_the_others(tmp_path: Path, language: str, line: str) -> None:
    """Its lines, too: else a German letter would have English lines in it."""
    folder = own(tmp_path, "[words]\nhello_all = 'Salve,'\n", f"{language}/language.toml")
    notice = replace(sample_notice("ask"), lines=("Title of papers is yours now.", "Nothing is needed from you now."))
    letter = TemplateRenderer(Nothing(), Folders(folder, readable=READABLE)).letter(
        notice, Reader(handle="x", language=language)
    )

    assert letter.text.startswith("Salve,\n")
    assert line in letter.text
    assert () == broken(folder, "en")


def test_a_language_that_breaks_later_keeps_no_letter_back(tmp_path: Path) -> None:
    """The shipped words are said instead."""
    folders = Folders(own(tmp_path, "[words]\nhello = 3\n", "de/language.toml"), readable=READABLE)
    letter = TemplateRenderer(Nothing(), folders).letter(sample_notice("ask"), Reader(handle="x", language="de"))

    assert letter.text.startswith("Guten Tag,\n")


def test_the_shipped_templates_have_no_fault() -> None:
    """Looked at as if they were an installation's own, pages and layouts, too."""
    assert () == broken(SHIPPED, "de")
    assert 20 <= sum(1 for _ in Folders(SHIPPED).places()) // 2
