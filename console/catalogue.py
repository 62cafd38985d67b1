"""Every command in one table: its name, where it lives, and what it does in a line. Nothing heavy is imported for a help text."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from onboarding.nearest import nearest

PROGRAM = "starter.py"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: the module that holds it, the heading under which it is listed, and its line."""

    name: str
    module: str
    heading: str
    line: str


def _entries(heading: str, module: str, **lines: str) -> tuple[Entry, ...]:
    return tuple(Entry(name.replace("_", "-"), module, heading, line) for name, line in lines.items())


ENTRIES: tuple[Entry, ...] = (
    *_entries(
        "On this machine",
        "local",
        demo="a whole onboarding on a real Temporal server, in about a minute",
        dev="an embedded Temporal server and a worker, until Ctrl-C",
        doctor="every prerequisite, one line each; --fix registers what is missing; --runs: does every run go on? --channels: does every channel answer?",
    ),
    *_entries("On this machine", "database", database="upgrade: bring its tables to this release; check: is it well?"),
    *_entries("On this machine", "keys", keys="new, rotate, list: what encrypts everything that people say"),
    *_entries(
        "On this machine",
        "codec_server",
        codec_server="shows the Temporal UI what is encrypted, on this machine and with a token",
    ),
    *_entries(
        "On this machine",
        "backups",
        backup="a whole copy of the database, while workers write",
        restore="puts such a copy in its place; what stood there is kept",
    ),
    *_entries(
        "Definitions",
        "definitions",
        check="every fault of definition files with file:line:column",
        schema="JSON Schema of the language, for editors",
        picture="the stage graph of a definition as Mermaid",
    ),
    *_entries(
        "Definitions",
        "notice",
        **{
            "notice list": "what people are written with: templates, their languages, where each comes from",
            "notice preview": "a letter as it would leave now, from the rows of a run; --html FILE, --open",
        },
    ),
    *_entries("Runs", "starting", start="start a run; --dry-run prints the plan with due dates"),
    *_entries(
        "Messages to a run",
        "messages",
        submit="the customer delivers an answer",
        decide="a decision of an approval or a review",
        complete="a person on our side finishes a task",
        happen="something happened in the outside world",
        hold="stop the clocks of a run",
        resume="start them again",
        extend="a new due date for an item or stage",
    ),
    *_entries(
        "Messages to a run", "recalendar", set_calendar="another calendar, also for one person; dates are counted anew"
    ),
    *_entries(
        "Messages to a run",
        "messages",
        reassign="a new owner of an item or stage, or holder of a role",
        waive="pass a gate condition or an item",
        reopen="a new round for items",
        promise="another date for going live, told to the customer",
        note="record a text",
        cancel="close a run as lost or cancelled",
    ),
    *_entries("Messages to every run", "absence", absence="somebody is away: who stands in, in all their runs"),
    *_entries(
        "One run",
        "reads",
        status="where a run is; --watch follows it",
        open_items="what is open, with whom, since when",
        why="why an item is as it is, and who has it",
        gate="what keeps a stage",
        trail="who did what",
    ),
    *_entries("One run", "ledger", ledger="whose the time was, by stage, and the numbers; -o html is a page"),
    *_entries(
        "One run",
        "reads",
        promises="what the customer was told by when, and whether it was kept",
        refused="signals that changed nothing, and why",
        customer="what the customer may see",
    ),
    *_entries(
        "One run",
        "trails",
        **{
            "trail verify": "is an export of trails, or the trail of a run, what was written?",
            "trail head": "number and digest of its last entry, to be kept elsewhere",
        },
    ),
    *_entries("All runs", "runs", list="runs by stage, owner, health and more; --count, --as-query"),
    *_entries("All runs", "inbox", inbox="what waits for one person, or for a role, over all runs"),
    *_entries(
        "All runs",
        "outbox",
        outbox="what was sent to people, and what was not; --state failed",
        **{
            "outbox list": "the same",
            "outbox show": "all about one notice",
            "outbox resend": "let notices be tried again; --failed: all that failed",
            "outbox drop": "take notices out that have not left",
        },
    ),
    *_entries(
        "All runs",
        "events",
        **{
            "events": "what other systems were told; --to: by one webhook",
            "events resend": "tell it again from a number or an instant on, or go on where it was refused",
            "events schema": "JSON Schema of what they are told",
        },
    ),
    *_entries(
        "All runs",
        "hooks",
        **{
            "hook list": "hooks whose answer comes later: which, since when, how far",
            "hook finish": "brings the answer of one of them",
            "hook fail": "says that its work failed",
        },
    ),
    *_entries("All runs", "report", report="time-to-value numbers of one run, or over all of them"),
    *_entries("All runs", "export", export="whole tables as CSV, JSON lines or Parquet"),
    *_entries("All runs", "erasing", erase="what people said in a customer's runs, for ever; numbers and trails stay"),
    *_entries(
        "All runs", "check_replay", check_replay="does this build carry on recorded histories, or all --open runs?"
    ),
    *_entries("All runs", "reconcile", reconcile="where rows are not what the runs have done"),
)
BY_NAME = {entry.name: entry for entry in ENTRIES}

_FIRST = (
    ("demo", "watch a whole onboarding happen, with its numbers at the end"),
    ("check definitions/b2b-standard.yaml", "is this definition good?"),
    ("dev", "a Temporal server and a worker on this machine, in a terminal of its own"),
    (
        "start quick-start --customer c-1 --input definitions/examples/quick-start.input.yaml",
        "start a customer",
    ),
    ("status onboarding/c-1/quick-start", "where they are, who must act, what is next"),
)


def first_steps() -> str:
    """What a newcomer needs, in the order in which it is needed."""
    lines = ["Customer onboardings as durable runs on Temporal. Five commands to begin with:", ""]
    for command, line in _FIRST:
        lines += [f"  python {PROGRAM} {command}", f"      {line}"]
    return "\n".join([*lines, "", f"All commands: python {PROGRAM} --help"])


def overview() -> str:
    """Every command with its line."""
    lines = [f"Usage: python {PROGRAM} COMMAND …   (each command has --help)"]
    heading = ""
    for entry in ENTRIES:
        if entry.heading != heading:
            heading = entry.heading
            lines += ["", heading]
        lines.append(f"  {entry.name:<15}{entry.line}")
    return "\n".join(
        [
            *lines,
            "",
            "Every command takes -o table|json|jsonl (default: table on a terminal, json otherwise); export: csv|jsonl|parquet.",
            "Exit codes: 0 done; 20 rejected, 21 conflict, 22 closed, 23 unknown, 24 too large, 25 forbidden;",
            "64 usage, 65 invalid file, 69 Temporal or database unreachable, 70 a bug, 75 no answer yet, or a database that",
            "is held, full or read-only: try again.",
        ]
    )


def dispatch(arguments: list[str]) -> int:
    """Runs the command that these arguments name; the exit code."""
    import typer

    from console.leaving import Misused

    ahead: list[str] = []
    while arguments and arguments[0] in ("-o", "--output"):
        ahead += arguments[:2]
        arguments = arguments[2:]
    if not arguments:
        raise Misused(f"Which command? See python {PROGRAM} --help")
    name, rest = arguments[0], arguments[1:]
    if rest and f"{name} {rest[0]}" in BY_NAME:
        name, rest = f"{name} {rest[0]}", rest[1:]
    if name not in BY_NAME:
        hint = nearest(name, BY_NAME) or f"; see python {PROGRAM} --help"
        raise Misused(f"There is no command {name[:60]!r}{hint}")
    group = typer.main.get_group(import_module(f"console.{BY_NAME[name].module}").app)
    command = group.commands[name]
    result = command.main(args=[*ahead, *rest], prog_name=f"python {PROGRAM} {name}", standalone_mode=False)
    return int(result or 0)
