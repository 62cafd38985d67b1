"""Trails that travel: every run's entries end with a seal, all runs with one more, so that a reader without us finds what was changed.

Note [What a seal proves]
    Every entry is chained to the one before it, the seal of a run says how many there are, which digest is the last and what the
    lines of this run are, and the seal of the export does the same for the seals. So whatever was changed, left out, put in,
    swapped or cut off is found, unless whoever did it has computed everything anew. Only a digest that was kept elsewhere
    finds that, too: the last one of a run (its head), or that of the whole export. A kept digest proves all that stands before it.
    Whose trail it is, the chain says by what its first entry is chained to; of runs that began before it did, only a kept digest
    together with the name of its run.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from onboarding.engine.chain import beginnings, follows, older_content_of, told_reasons
from onboarding.engine.state import TrailEntry

FAULTS_TOLD = 100
"""Faults that are told one by one; more of them say nothing new."""
_COLUMNS = {
    "run": (str,), "definition": (str,), "version": (int,), "variant": (str,), "hash": (str,), "n": (int,), "at": (str,), "actor": (str,),
    "on_behalf_of": (str, None), "channel": (str, None), "message": (str,), "item": (str, None), "outcome": (str,), "code": (str,),
    "message_id": (str, None), "digest": (str,), "sentence": (str,), "changes": (dict,), "said": (str, None),
}  # fmt: skip
"""What an entry holds, and nothing else."""
_LATER = {"said"}
"""What entries of an earlier release do not hold."""
_SEAL = ("seal", "run", "entries", "head", "lines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One place where a trail is not what was sealed. `line` counts from 1; `run` and `n` are what the line says of itself."""

    line: int
    run: str | None
    n: int | None
    code: str
    sentence: str


@dataclass(slots=True, kw_only=True)
class Verified:
    """What a trail is found to be. `kept` tells where each digest that was kept elsewhere stands in it, `None` where it does not."""

    runs: int = 0
    entries: int = 0
    digest: str | None = None
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Of the runs that were asked for: number and digest of the last entry."""
    kept: dict[str, str | None] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    flawed: int = 0
    """How many flaws there are, those that are not told among them."""


class Sealer:
    """Makes the lines of an export from rows of trails, run after run; afterwards `runs`, `entries` and `digest` are those of all."""

    def __init__(self) -> None:
        self.runs = self.entries = 0
        self.head = self.digest = ""

    def lines(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """Every row as a line, the seal of each run behind its last one, and at the end the seal of them all."""
        run: str | None = None
        count, text = 0, hashlib.sha256()
        for row in rows:
            if run is not None and row["run"] != run:
                yield self._sealed(run, count, text.hexdigest())
                count, text = 0, hashlib.sha256()
            line = _line(row)
            run, count, self.head = row["run"], count + 1, row["digest"]
            text.update(line.encode())
            yield line
        if run is not None:
            yield self._sealed(run, count, text.hexdigest())
        yield _line(_whole(self.runs, self.entries, self.digest))

    def _sealed(self, run: str, count: int, text: str) -> str:
        line = _line({"seal": "run", "run": run, "entries": count, "head": self.head, "lines": text})
        self.runs, self.entries, self.digest = self.runs + 1, self.entries + count, _onto(self.digest, line.encode())
        return line


def verify(lines: Iterable[bytes], kept: Mapping[str, str | None] | None = None, heads: Sequence[str] = ()) -> Verified:
    """Whether an export is as it was sealed, see Note [What a seal proves]. Lines come with their line break.

    `kept` are digests from elsewhere, each with the run that it is the head of where that is known too. `heads` are names of
    runs whose last entry the caller wants to compare.
    """
    return _Reader(kept or {}, heads).read(lines)


class _Reader:
    """Goes through an export once, with the last entry in hand."""

    def __init__(self, kept: Mapping[str, str | None], heads: Sequence[str]) -> None:
        self.found = Verified(kept=dict.fromkeys(kept))
        self.kept = kept
        self.wanted = heads
        self.line = 0
        self.run: str | None = None
        self.n, self.head = 0, ""
        self.count, self.text = 0, hashlib.sha256()
        self.seen: set[str] = set()
        self.chained = ""
        self.reasons = False
        self.complete = False

    def read(self, lines: Iterable[bytes]) -> Verified:
        for line in lines:
            self.line += 1
            if self.complete:
                self._flaw("behind_the_end", "stands behind the seal of the export")
                break
            raw = line.removesuffix(b"\n")
            if raw == line:
                self._flaw("cut_off", "has no line break at its end")
            row = _parsed(raw)
            if row is None:
                self._flaw("unreadable", "is no JSON object on one line")
                self._count(raw)
            elif row.get("seal") == "run":
                self._run_ends(row, raw)
            elif row.get("seal") == "export":
                self._export_ends(row, raw)
            else:
                self._entry(row, raw)
        if not self.complete:
            self.line += 1
            self._flaw("cut_off", "is missing: the export ends without its seal")
        for digest, where in self.found.kept.items():
            if where is None:
                self._flaw("not_the_kept_one", f"nothing here has the digest {digest[:16]}… that was kept elsewhere")
        return self.found

    def _entry(self, row: dict[str, Any], raw: bytes) -> None:
        if not _is_entry(row):
            self._flaw("no_entry", "is neither an entry of a trail nor a seal", row)
            self._count(raw)
            return
        if self.run is None:
            self._begin(row)
        self._count(raw)
        if row["run"] != self.run:
            self._flaw("other_run", f"is of another run than the lines before it, {self.run!r}", row)
        if row["n"] != self.n + 1:
            self._flaw("wrong_number", f"has the number {row['n']}, and {self.n + 1} comes here", row)
        elif not self._follows(row):
            self._flaw("changed", "does not have the digest of what it says and of the entry before it", row)
        self.n, self.head = row["n"], row["digest"]
        if row["digest"] in self.kept and self.kept[row["digest"]] in (None, row["run"]):
            self.found.kept[row["digest"]] = f"entry {row['n']} of {row['run']}"

    def _follows(self, row: dict[str, Any]) -> bool:
        """Whether an entry has the digest of its content and of what comes before it."""
        entry = _entry_of(row)
        if entry is None:
            return False
        try:
            if self.n == 0:
                self.reasons = told_reasons(entry, row.get("said"))
            before = (self.head,) if self.n else beginnings(row["run"])
            return any(follows(entry, one, row.get("said"), reasons=self.reasons) for one in before)
        except (ValueError, OverflowError, RecursionError):
            return False

    def _begin(self, row: dict[str, Any]) -> None:
        self.run = row["run"]
        if self.run in self.seen:
            self._flaw("twice", "begins a run that has ended before", row)
        self.seen.add(row["run"])

    def _run_ends(self, row: dict[str, Any], raw: bytes) -> None:
        run = row.get("run")
        if tuple(row) != _SEAL or raw != _bytes(row):
            self._flaw("bad_seal", "is no seal as an export writes it")
        if run != self.run:
            self._flaw("other_run", f"seals another run than the lines before it, {self.run!r}", row)
        if (row.get("entries"), row.get("head")) != (self.count, self.head):
            self._flaw(
                "wrong_end",
                f"seals {row.get('entries')} entries, and {self.count} stand here or the last is another",
                row,
            )
        elif row.get("lines") != self.text.hexdigest():
            self._flaw("changed_lines", "seals other lines than those of this run", row)
        if isinstance(run, str) and run in self.wanted:
            self.found.heads[run] = self.n, self.head
        self.found.runs, self.found.entries = self.found.runs + 1, self.found.entries + self.count
        self.chained = _onto(self.chained, raw)
        self.run, self.n, self.head, self.count, self.text, self.reasons = None, 0, "", 0, hashlib.sha256(), False

    def _export_ends(self, row: dict[str, Any], raw: bytes) -> None:
        self.complete = True
        if self.count:
            self._flaw("no_seal", f"comes before the seal of {self.run!r}")
        if raw != _bytes(_whole(self.found.runs, self.found.entries, self.chained)):
            self._flaw("wrong_end", f"seals {row.get('runs')} runs, and {self.found.runs} stand here or others")
        self.found.digest = self.chained
        if self.chained in self.kept and self.kept[self.chained] is None:
            self.found.kept[self.chained] = "the whole export"

    def _count(self, raw: bytes) -> None:
        self.count += 1
        self.text.update(raw)

    def _flaw(self, code: str, sentence: str, row: Mapping[str, Any] | None = None) -> None:
        self.found.flawed += 1
        if len(self.found.flaws) < FAULTS_TOLD:
            run, n = (row or {}).get("run"), (row or {}).get("n")
            known = run if isinstance(run, str) else self.run
            number = n if isinstance(n, int) else None
            self.found.flaws.append(Flaw(line=self.line, run=known, n=number, code=code, sentence=sentence))


def _whole(runs: int, entries: int, digest: str) -> dict[str, Any]:
    """The seal of an export."""
    return {"seal": "export", "runs": runs, "entries": entries, "digest": digest}


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _bytes(value: Mapping[str, Any]) -> bytes:
    return _line(value).encode("utf-8", "surrogatepass")  # half a character may come, and is no reason to give up


def _onto(before: str, line: bytes) -> str:
    return hashlib.sha256(before.encode() + line).hexdigest()


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _is_entry(row: dict[str, Any]) -> bool:
    return set(_COLUMNS) - _LATER <= set(row) <= set(_COLUMNS) and all(
        (value is None and None in _COLUMNS[name]) or type(value) in _COLUMNS[name] for name, value in row.items()
    )


def _entry_of(row: dict[str, Any]) -> TrailEntry | None:
    """What a line tells, where it does so in the one way in which that is written."""
    try:
        entry = TrailEntry(
            n=row["n"], at=datetime.fromisoformat(row["at"]), actor=row["actor"], on_behalf_of=row["on_behalf_of"], channel=row["channel"],
            message=row["message"], item=row["item"], outcome=row["outcome"], code=row["code"], message_id=row["message_id"],
            digest=row["digest"], sentence=row["sentence"], changes=row["changes"],
        )  # fmt: skip
        return entry if all(row[name] == value for name, value in older_content_of(entry).items()) else None
    except (ValueError, OverflowError, RecursionError):
        return None
