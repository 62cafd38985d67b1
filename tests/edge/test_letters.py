"""What is written to people: in their language and zone, with everything they need, and nothing that acts."""

# ruff: noqa: SIM300 – tests put the expected value first

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from integrations.letters import Letter, Reader
from integrations.rendering import READABLE, TemplateRenderer
from integrations.template_folders import SHIPPED, Folders
from integrations.template_names import TEMPLATES
from integrations.templates import FOR_KIND, kind_of
from integrations.wording import instant_of
from onboarding.engine.effects import DeliverNotice, Notice, NoticeKind
from onboarding.engine.plan import Plan
from onboarding.matter import Matter, Point
from runtime import library
from storage.about import SqlAbout, last_notice, readers_of
from tests.support.builders import a_run, at
from tests.support.letters import PEOPLE, a_late_run, keep, notices_of
from tests.support.scenario import FOLDER, load_scenarios, play

LANGUAGES = ("de", "en")
HEADINGS = ("about", "missing", "next", "by", "answer")
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Knows:
    """What is known of a run, made up."""

    def __init__(self, matter: Matter) -> None:
        self.matter_ = matter

    def matter(self, run: str, reader: str, *, stage: str | None, items: Any, side: str) -> Matter:
        return self.matter_


def a_point(**changes: Any) -> Point:
    given = {
        "id": "tax", "title": "Steuerbescheinigung", "kind": "request", "status": "open", "due_at": NOW + timedelta(days=3),
        "who": "customer:champion", "side": "customer", "stage": "intake", "yours": True, **changes,
    }  # fmt: skip
    return Point(**given)


def a_matter(**changes: Any) -> Matter:
    given = {
        "known": True,
        "definition": "small",
        "stage": "Aufnahme",
        "titles": ("Steuerbescheinigung",),
        "points": (a_point(),),
        "zone": "Europe/Berlin",
        **changes,
    }
    return Matter(**given)


def a_notice(template: str = "ask", **changes: Any) -> Notice:
    given = {
        "key": "onboarding/c-1/small/tax/1/x/customer:champion", "kind": kind_of(template), "to": "customer:champion", "template": template,
        "subject": "", "lines": (), "run": "onboarding/c-1/small", "customer": "c-1", "at": NOW, "stage": "intake", "item": "tax",
        "items": ("tax",), "side": "customer", **changes,
    }  # fmt: skip
    return Notice(**given)


def a_letter(notice: Notice, matter: Matter | None = None, folders: Folders | None = None, **reader: Any) -> Letter:
    given = {"handle": notice.to, "name": "Carla Cho", "language": "de", **reader}
    renderer = TemplateRenderer(Knows(matter or a_matter()), folders or Folders(readable=READABLE), now=lambda: NOW)
    return renderer.letter(notice, Reader(**given))


def own(folder: Path, **files: str) -> Folders:
    """An installation's templates; `__` in a name is a slash."""
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".txt.j2")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return Folders(folder, readable=READABLE)


@cache
def everything_said() -> tuple[Notice, ...]:
    """What every scenario of the core says to people."""
    said = []
    for scenario in load_scenarios():
        for decision in play(Plan(scenario.order()), scenario):
            said += [effect.notice for effect in decision.effects if isinstance(effect, DeliverNotice)]
    return tuple(said)


def words_of_people() -> str:
    """What the authors of scenarios and definitions have written: titles, reasons, comments."""
    files = [*FOLDER.rglob("*.yaml"), *library.DEFINITIONS.glob("*.yaml")]
    return "\n".join(path.read_text("utf-8") for path in files)


def test_every_line_of_the_core_is_said_in_german() -> None:
    """What has no German form is a title, or what a person wrote."""
    german, theirs = Folders().wording("de"), words_of_people()
    lines = {line for notice in everything_said() for line in (*notice.lines, notice.subject)}
    known = [line for line in lines if any(form.pattern.fullmatch(line) for form in german.forms)]
    strange = sorted(line for line in lines.difference(known) if line.rpartition(": ")[2] not in theirs)

    print(
        f"\n  letters: {len(known)} of {len(lines)} lines of {len(everything_said())} notices are said in German, the others are words of people"
    )
    assert strange == []
    assert len(known) > 150


def test_a_hook_that_a_person_has_is_answered_as_a_task_and_has_no_date_of_another_item() -> None:
    """It failed, and nothing says until when somebody sees to it; what is due besides stands among what is missing, with its date."""
    points = (
        a_point(id="import", title="Import", kind="hook", side="provider", due_at=None, yours=True),
        a_point(id="call", title="Call", kind="task", side="provider", yours=True),
    )
    notice = a_notice(
        to="dana", side="provider", item="import", items=("import",), key="onboarding/c-1/small/import/1/x/dana"
    )
    text = a_letter(notice, a_matter(points=points), language="en", side="provider").text

    assert "python starter.py complete c-1/small import --actor dana" in text
    assert "By when\n    No date is set." in text


def test_templates_are_known_by_name() -> None:
    """The list that definitions are checked against, each with its words in every language."""
    assert set(TEMPLATES) >= {"welcome", "received", "ask", "reminder", "escalation", "retraction"}
    assert set(TEMPLATES) >= {"returned", "completed", "handover", "silence", "goes_on"}
    for template in TEMPLATES:
        letter = a_letter(a_notice(template, lines=("{a} %s $b {{ c }}",)))
        assert letter.subject
        assert "\n{a} %s $b {{ c }}\n" in letter.text
        assert {"de", "en"} == {place.language for place in Folders().places() if place.name == template}


def test_languages_know_the_same_words_and_headings() -> None:
    """A word that a language leaves out would be said in English."""
    german, english = Folders().wording("de"), Folders().wording("en")
    own_words = (SHIPPED / "de" / "language.toml").read_text("utf-8")

    assert [name for name in english.words if not re.search(rf"(?m)^{name} = ", own_words)] == []
    for role in ("points", "missing", "next", "by", "answer"):
        assert set(english.lines[role]) <= set(german.lines[role]), role


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_letter_says_what_is_missing_who_acts_by_when_and_how_to_answer(template: str, language: str) -> None:
    """Also where nothing is missing and where nobody knows anything of the run; as text and as a page."""
    words = Folders().wording(language).words
    for matter in (a_matter(), a_matter(points=()), a_matter(closed_at=NOW), Matter()):
        letter = a_letter(a_notice(template), matter, language=language)
        after = [letter.text.split(f"\n{words[name]}\n")[1].splitlines()[0].strip() for name in HEADINGS]

        assert all(after), letter.text
        assert letter.subject
        assert letter.language == language
        assert all(words[name] in (letter.html or "") for name in HEADINGS)
        assert "\n\n\n" not in letter.text


def test_every_notice_of_every_scenario_becomes_a_letter_in_both_languages() -> None:
    """Nothing that the core can say breaks a template, and a German letter speaks no English sentence of ours."""
    english = re.compile(r"\b(is due|is yours now|nothing is needed|We wait|Answer with|was answered)\b")
    for notice in everything_said():
        for language in LANGUAGES:
            matter = a_matter() if notice.item else Matter()
            letter = a_letter(notice, matter, language=language, handle=notice.to)
            assert language == letter.language
            if language == "de":
                assert not english.search(letter.text), letter.text
    print(
        f"\n  letters: {len(everything_said())} notices of all scenarios in {len(LANGUAGES)} languages, each as text and as a page"
    )


@pytest.mark.parametrize(
    ("zone", "language", "told"),
    [
        ("Europe/Berlin", "de", "Freitag, 27. November 2026, 10:00 Uhr (MEZ)"),
        ("Europe/Berlin", "en", "Friday, 27 November 2026, 10:00 (CET)"),
        ("America/New_York", "en", "Friday, 27 November 2026, 04:00 (EST)"),
        ("Asia/Kathmandu", "en", "Friday, 27 November 2026, 14:45 (UTC+0545)"),
        ("", "de", "Freitag, 27. November 2026, 10:00 Uhr (MEZ)"),  # nobody knows theirs: the customer's
        ("Mars/Olympus", "en", "Friday, 27 November 2026, 09:00 (UTC)"),
        ("../../etc/passwd", "en", "Friday, 27 November 2026, 09:00 (UTC)"),
    ],
)
def test_dates_are_told_in_the_readers_zone_and_words(zone: str, language: str, told: str) -> None:
    """Of open points, and inside of the lines of the core."""
    line = "Resume it, or hold it longer; the next review is Fri 27 Nov 2026 09:00 UTC."
    letter = a_letter(a_notice(lines=(line, "I said so on 2026-11-27 09:00 UTC already")), zone=zone, language=language)

    assert letter.text.count(told) == 4
    assert "2026 09:00 UTC" not in letter.text


@pytest.mark.parametrize(
    "text", ["Fri 31 Feb 2026 09:00 UTC", "Fri 27 Nov 2026 29:00 UTC", "no date", "", "2026-13-01 00:00 UTC"]
)
def test_a_day_that_no_calendar_has_is_no_date(text: str) -> None:
    """People may write what only looks like an instant."""
    assert instant_of(text) is None
    assert a_letter(a_notice(lines=(f"It is {text}",))).text


def test_a_letter_of_a_receipt_tells_the_date_that_was_promised() -> None:
    """The core has noted it as said; what waits beside it keeps its own."""
    lines = (
        "Arrived: vat_id, 2 files",
        "Still missing: Steuerbescheinigung",
        "Next: olga goes on with it, by Thu 03 Dec 2026 09:00 UTC",
    )
    text = a_letter(
        a_notice("received", lines=lines, kind=NoticeKind.RECEIPT), a_matter(names={"olga": "Olga Orlow"})
    ).text

    assert "Angekommen: vat_id, 2 Dateien" in text
    assert "Olga Orlow macht weiter." in text
    assert "\nBis wann\n    Donnerstag, 3. Dezember 2026, 10:00 Uhr (MEZ)\n" in text
    assert "- Steuerbescheinigung, bis Freitag, 27. November 2026, 10:00 Uhr (MEZ)" in text


@pytest.mark.parametrize(
    ("template", "line", "to_another"),
    [
        ("received", "Next: olga goes on with it, by Thu 03 Dec 2026 09:00 UTC", "Olga Orlow macht weiter."),
        ("received", "Next: olga goes on with it", "Olga Orlow macht weiter."),
        ("escalation", "We wait for olga to deliver it.", "Olga Orlow (Lieferung steht aus)."),
        ("escalation", "We wait for olga to approve it.", "Olga Orlow (Freigabe steht aus)."),
    ],
)
def test_whoever_acts_next_is_spoken_to_and_not_of(template: str, line: str, to_another: str) -> None:
    """A receipt or an alarm may go to the very person whom it names."""
    matter = a_matter(names={"olga": "Olga Orlow"})
    theirs, others = (
        under(a_letter(a_notice(template, lines=(line,), to=to, side="provider"), matter), "Wer als Nächstes handelt")
        for to in ("olga", "dana")
    )

    assert (["Sie."], [to_another]) == (theirs, others)


def test_what_is_shown_as_a_list_is_not_said_a_second_time() -> None:
    """An ask names its points with their dates; without rows its own lines say them."""
    lines = ("Steuerbescheinigung, due Fri 27 Nov 2026 09:00 UTC", "Answer with the item's id: tax.")
    known, unknown = (
        a_letter(a_notice(lines=lines), matter, zone="Europe/Berlin").text for matter in (a_matter(), Matter())
    )

    assert known.count("27. November") == 2  # of the point, and by when
    assert "Steuerbescheinigung, bis Freitag, 27. November 2026, 10:00 Uhr (MEZ)" in unknown
    assert "tax" in unknown


def test_our_own_people_read_the_command_that_answers() -> None:
    """By what it is; an installation may say something else."""
    point = a_point(id="check", kind="task", side="provider", who="olga")
    notice = a_notice(to="olga", side="provider", item="check", items=("check",))
    renderer = TemplateRenderer(
        Knows(a_matter(points=(point,))), answers={"provider": "Open {run} in the portal: {items}."}
    )

    assert (
        "    python starter.py complete c-1/small check --actor olga\n"
        in a_letter(notice, a_matter(points=(point,))).text
    )
    assert "Open c-1/small in the portal: check." in renderer.letter(notice, Reader(handle="olga")).text


def test_an_alarm_is_about_what_is_late_and_an_ask_about_everything() -> None:
    """Of what else waits for them its readers hear otherwise."""
    points = (a_point(who="carla", yours=False), a_point(id="other", title="Anderes"))
    alarm, ask = (
        a_letter(a_notice(name, to="olga", side="provider"), a_matter(points=points)).text
        for name in ("escalation", "ask")
    )

    assert ("Anderes" in alarm, "Anderes" in ask) == (False, True)
    assert "    python starter.py status c-1/small\n" in alarm
    assert "bei carla" in alarm


def an_alarm(part: str, subject: str, *lines: str, item: str | None = None, stage: str = "setup") -> Notice:
    """What the owner of a stage is told; `part` is what its key says of it."""
    return a_notice(
        "escalation", to="dana", side="provider", item=item, items=(), stage=stage, subject=subject, lines=lines,
        key=f"onboarding/c-1/small/{item or stage}/1/{part}/dana",
    )  # fmt: skip


def under(letter: Letter, heading: str) -> list[str]:
    """What stands under a heading."""
    return [line.strip() for line in letter.text.split(f"\n{heading}\n")[1].split("\n\n")[0].splitlines()]


CALL = a_point(id="call", title="Welcome call", kind="task", side="provider", who="dana", stage="setup")
HOOK_FAILED = an_alarm(
    "1.enter0.failed", "A hook failed: Setup", "A hook of Setup failed: The other side answered 404."
)
NOT_TOLD = an_alarm(
    "undelivered.1", "Not delivered: Import", "A notice about Import could not be delivered to lars.", item="import"
)
AT_THE_END = an_alarm(
    "undo1", "Not taken back: Import", "Take it back by hand; the activity 'x' could not.", item="import"
)


@pytest.mark.parametrize(
    ("alarm", "matter"),
    [
        (HOOK_FAILED, {"points": (CALL,)}),
        (HOOK_FAILED, {"points": (), "following": replace(CALL, yours=False, who="lars")}),
        (HOOK_FAILED, {"points": (CALL,), "on_hold": True}),
        (an_alarm("alone.4.2", "Nobody stands in for lars"), {"points": (CALL,)}),
        (an_alarm("promise.2", "The promised date has passed"), {"points": (CALL,)}),
        (NOT_TOLD, {"points": (CALL,)}),
        (AT_THE_END, {"points": (), "closed_at": NOW}),
    ],
)
def test_an_alarm_has_no_point_date_or_command_of_what_it_is_not_about(alarm: Notice, matter: dict[str, Any]) -> None:
    """It names nobody else who has to act, so it is for its reader to see to: what, and where to look, stands in its letter."""
    letter = a_letter(alarm, a_matter(**matter), language="en", side="provider")

    assert "Welcome call" not in letter.text
    assert [alarm.subject] == under(letter, "What is missing")
    assert ["You."] == under(letter, "Who acts next")
    assert ["No date is set."] == under(letter, "By when")
    assert ["On the command line:", "python starter.py status c-1/small"] == under(letter, "How to answer")


STALLED = an_alarm(
    "stall.20261124T090000", "No progress: Setup", "No progress in Setup since Fri 20 Nov 2026 09:00 UTC."
)
LATE = an_alarm(
    "step0", "Escalation 1: Import", "Import is due Fri 20 Nov 2026 09:00 UTC and open since Mon 16 Nov 2026 09:00 UTC.",
    "We wait for lars to deliver it.", item="import",
)  # fmt: skip
UNDECIDED = an_alarm("rounds_exhausted.7", "Please help to decide: Import", "Import: no after 2 rounds.", item="import")
HELD = "Nobody for now: this onboarding is on hold."


@pytest.mark.parametrize(
    ("alarm", "matter", "following"),
    [
        (STALLED, {"points": (), "on_hold": True}, HELD),
        (STALLED, {"points": (CALL,), "on_hold": True}, HELD),
        (an_alarm("promise.2", "The promised date has passed"), {"points": (), "on_hold": True}, HELD),
        (UNDECIDED, {"points": (), "on_hold": True}, HELD),
        (UNDECIDED, {"points": (CALL,)}, "We do."),
        (LATE, {"points": ()}, "lars, who is to deliver it."),
        (LATE, {"points": (), "known": False}, "lars, who is to deliver it."),
    ],
)
def test_an_alarm_that_leaves_late_asks_nobody_for_what_rests_or_is_done(
    alarm: Notice, matter: dict[str, Any], following: str
) -> None:
    """A hold, or the answer, came while it was on its way."""
    letter = a_letter(alarm, a_matter(**matter), language="en", side="provider")
    missing = "- Welcome call" if matter["points"] and matter.get("on_hold") else "Nothing from you at the moment."

    assert [following] == under(letter, "Who acts next")
    assert under(letter, "What is missing")[0].startswith(missing)


@pytest.mark.parametrize(
    ("alarm", "matter"),
    [
        (an_alarm("review.20261124T090000", "A run on hold waits for your review"), {"on_hold": True}),
        (NOT_TOLD, {"on_hold": True}),
        (an_alarm("alone.4.2", "Nobody stands in for lars"), {"on_hold": True}),
        (AT_THE_END, {"on_hold": True, "closed_at": NOW}),
        (replace(LATE, to="lars"), {"known": False}),
    ],
)
def test_an_alarm_of_what_has_happened_is_for_its_reader_also_on_hold(alarm: Notice, matter: dict[str, Any]) -> None:
    """Nobody tells it again when the run goes on."""
    letter = a_letter(alarm, a_matter(points=(), **matter), language="en", side="provider")

    assert (["You."], 1) == (under(letter, "Who acts next"), len(under(letter, "What is missing")))
    assert "Nothing from you at the moment." not in letter.text


@pytest.mark.parametrize(
    ("alarm", "point"),
    [
        (an_alarm("review.20261124T090000", "A run on hold waits for your review"), {"id": "hold", "kind": "hold"}),
        (
            an_alarm("debt.0", "A waiver has run out: papers"),
            {"id": "setup/papers", "kind": "debt", "status": "expired"},
        ),
        (an_alarm("stall.20261124T090000", "No progress: Setup"), {"id": "import", "kind": "task"}),
    ],
)
def test_an_alarm_of_a_stage_or_of_the_run_has_the_date_of_what_it_is_about(
    alarm: Notice, point: dict[str, Any]
) -> None:
    """Such a notice names no item; what it is about waits among the points of its reader, or is what follows."""
    mine = a_point(title="This one", side="provider", who="dana", stage="setup", **point)
    other = replace(CALL, stage="intake", due_at=NOW + timedelta(days=1))
    letter = a_letter(alarm, a_matter(points=(other, mine), on_hold=point["kind"] == "hold"), language="en")

    assert ["- This one, by Friday, 27 November 2026, 10:00 (CET)"] == under(letter, "What is missing")
    assert ["You."] == under(letter, "Who acts next")
    assert ["Friday, 27 November 2026, 10:00 (CET)"] == under(letter, "By when")


def test_an_alarm_about_a_stage_names_whoever_has_what_is_open_in_it() -> None:
    """Where that is not its reader."""
    theirs = a_point(title="Import", stage="setup", side="provider", who="lars", yours=False)
    alarm = an_alarm("stall.20261124T090000", "No progress: Setup")
    letter = a_letter(alarm, a_matter(points=(), following=theirs, names={"lars": "Lars Lo"}), language="en")

    assert ["Lars Lo: Import"] == under(letter, "Who acts next")


def test_the_customer_reads_nothing_of_how_we_work_inside(engine: Engine) -> None:
    """Of what waits only what is theirs; of ours only that we act, in which stage."""
    run = a_run()
    run.say(
        "submit", "customer:champion", item="details", fields={"legal_name": "Acme", "vat_id": "DE1"}, when=at(1, 10)
    )
    run.say(
        "submit",
        "customer:champion",
        item="papers",
        files=[
            {"uri": f"vault:{n}", "sha256": f"{n:064x}", "type": "pdf", "bytes": 9, "name": "p.pdf"} for n in (1, 2)
        ],
        when=at(1, 11),
    )
    keep(engine, run)
    about = SqlAbout(engine)
    renderer = TemplateRenderer(about, now=lambda: at(2))
    receipt = [notice for notice in notices_of(run) if notice.kind is NoticeKind.RECEIPT][-1]
    theirs = renderer.letter(replace(receipt, lines=()), Reader(handle=receipt.to, language="en"))
    matter = about.matter(run.state.run, "olga", stage=None, items=(), side="provider")

    assert {"credit_check", "papers"} == {point.id for point in matter.points}
    assert "debts" not in theirs.text + (theirs.html or "")
    assert "We: Stage intake" in theirs.text
    assert "olga" not in theirs.text


def test_what_a_letter_is_about_takes_a_handful_of_reads(engine: Engine) -> None:
    """A thousand letters at one instant must not become tens of thousands of questions."""
    run, asked = keep(engine, a_late_run()), []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    matter = SqlAbout(engine).matter(
        run.state.run, "customer:champion", stage="intake", items=("papers",), side="customer"
    )
    selects = [one for one in asked if one.lstrip().upper().startswith("SELECT")]

    assert (("papers",), "Stage intake") == (tuple(point.id for point in matter.points), matter.stage)
    assert {"Carla Cho", "Olga Orlow", "Henk Haan"} == set(matter.names.values())
    assert len(selects) <= 5
    assert SqlAbout(engine).matter("onboarding/x/y", "dana", stage=None, items=(), side="") == Matter()


def test_a_run_tells_its_newest_notice_and_its_readers(engine: Engine) -> None:
    """What a preview is made from."""
    run = keep(engine, a_late_run())
    newest = last_notice(engine, run.state.run, "escalation")

    assert newest is not None
    assert "Overdue: Title of papers" == newest.subject
    assert last_notice(engine, run.state.run, "escalation", "nobody") is None
    assert {contact.handle for contact in PEOPLE} == set(readers_of(engine, run.state.run))
    assert readers_of(engine, run.state.run)["olga"] == "provider"


def test_an_installation_writes_its_own_for_one_definition_and_for_all(tmp_path: Path) -> None:
    """The nearest one counts: of the definition, of the language, what is shipped."""
    mine = own(
        tmp_path,
        small__de__ask="Moin {{ reader.name }}: {{ about }}",
        de__ask="{% extends 'letter.txt.j2' %}{% block intro %}Wir bitten um Folgendes.{% endblock %}",
        de__kickoff="{% block subject %}Los{% endblock %}Los, {{ reader.name }}",
    )
    for_one, for_all = (a_letter(a_notice(), a_matter(definition=name), mine) for name in ("small", "other"))
    kickoff = a_letter(a_notice("kickoff", kind=NoticeKind.HANDOFF), folders=mine)

    assert "Moin Carla Cho: Steuerbescheinigung, im Abschnitt Aufnahme\n" == for_one.text
    assert "Moin Carla Cho: Steuerbescheinigung, im Abschnitt Aufnahme" in (for_one.html or "")
    assert "Wir bitten um Folgendes." in for_all.text
    assert "Wir bitten um Folgendes." in (for_all.html or "")
    assert ("Los", "Los, Carla Cho\n") == (kickoff.subject, kickoff.text)
    assert "kickoff" in mine.names


def test_a_language_that_is_not_there_gives_way_to_the_installations_own(tmp_path: Path) -> None:
    """Without its region first, then the installation's, then English; a template's language decides for the whole letter."""
    mine = own(tmp_path, en__kickoff="{% extends 'letter.txt.j2' %}{% block intro %}Off we go.{% endblock %}")
    german = Folders(tmp_path, "de", readable=READABLE)

    assert "de" == a_letter(a_notice(), language="de-AT").language
    assert "en" == a_letter(a_notice(), language="fr", folders=mine).language
    assert "de" == a_letter(a_notice(), language="fr", folders=german).language
    kickoff = a_letter(a_notice("kickoff"), language="de", folders=german)
    assert "en" == kickoff.language
    assert "What is missing" in kickoff.text


def test_a_language_of_ones_own_is_a_file(tmp_path: Path) -> None:
    """What it leaves out is said in English."""
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr" / "language.toml").write_text(
        '[words]\nmissing = "Ce qui manque"\n[said]\n"Received: {title}" = "Reçu : {title}"\n', "utf-8"
    )
    letter = a_letter(a_notice(subject="Received: Bilan"), folders=Folders(tmp_path, readable=READABLE), language="fr")
    own(tmp_path, fr__ask="{% extends 'letter.txt.j2' %}{% block intro %}Merci de répondre.{% endblock %}")
    french = a_letter(a_notice(subject="Received: Bilan"), folders=Folders(tmp_path, readable=READABLE), language="fr")

    assert "en" == letter.language  # no template of theirs: a letter is of one language
    assert ("fr", "Reçu : Bilan") == (french.language, french.subject)
    assert "Merci de répondre.\n" in french.text
    assert "\nCe qui manque\n" in french.text
    assert "\nWho acts next\n" in french.text


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_a_template_that_nobody_has_any_more_gives_way_to_that_of_its_kind(kind: NoticeKind) -> None:
    """A run outlives a folder; a name may also be none of a file."""
    for name in ("gone", "../../../etc/passwd", "a\x00b", ""):
        letter = a_letter(a_notice(name, kind=kind))

        assert letter.text == a_letter(a_notice(FOR_KIND[kind], kind=kind)).text


def test_a_template_that_fails_gives_way_to_the_shipped_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who waits for a letter gets it; the log says which template it was, and no word of the letter."""
    mine = own(
        tmp_path,
        de__ask="{{ reader.nobody }}",
        de__reminder="{% for a in subject %}{% for b in about %}{% for c in about %}{% for d in about %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    )
    for template in ("ask", "reminder"):
        notice = a_notice(template, subject="A subject of a certain length", lines=("Quill",))

        assert a_letter(notice, folders=mine).text == a_letter(notice).text
    assert ["template_failed"] * 2 == [record.message for record in caplog.records]
    assert ["ask", "reminder"] == [record.name_of for record in caplog.records]
    assert "Quill" not in caplog.text


class Shape(HTMLParser):
    """What a page consists of, without its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Any] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, tuple(attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))


def test_a_page_loads_nothing_from_anywhere() -> None:
    """No picture, no font, no script: nobody learns that a letter was read."""
    page = a_letter(a_notice()).html or ""
    shape = Shape(page).found

    assert not re.search(r"https?:|src=|url\(|@import|<script|<link|<img", page)
    assert {"html", "body", "table", "style"} <= {tag for tag, _ in shape}
    assert len(page) < 20_000
    assert "prefers-color-scheme: dark" in page


def test_a_crowd_of_letters_is_made_in_seconds(engine: Engine) -> None:
    """A thousand that are due at one instant must be made far sooner than a minute, by as many threads as a sender has."""
    run = keep(engine, a_late_run())
    renderer = TemplateRenderer(SqlAbout(engine), now=lambda: at(9))
    (*_, alarm) = (notice for notice in notices_of(run) if notice.kind is NoticeKind.ESCALATION)
    letters = [replace(alarm, key=f"{alarm.key}/{n}") for n in range(200)]

    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda notice: renderer.letter(notice, Reader(handle="olga", language="de")), letters))
    seconds = time.monotonic() - began

    print(f"\n  letters: {len(made) / seconds:.0f} a second on {engine.dialect.name}, four threads, rows read for each")
    assert 1 == len({letter.text for letter in made})
    assert 200 == len({letter.key for letter in made})
    assert seconds < 12
