"""One made-up run as rows: drawn from a number and a seed, so that the same ones give the same run wherever they are drawn.

What is told twice is computed once: the ledger is written first, and the numbers of the run are counted from its rows. Runs are
led through their stages one item after the other; what makes a real one irregular is there: corrections, holds, hours off,
escalations, broken promises, lost customers.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from benchmarks import counting
from benchmarks.world import MONTHS, NAMES, NOW, PACE, PLANS, SEGMENTS, WAVES, Plan, Work

Row = dict[str, Any]
_HOUR = 3_600


class MadeUp:
    """A run while it is drawn; afterwards its rows by table are in `rows`, and the run itself in `run`."""

    def __init__(self, n: int, seed: int, *, still_open: bool) -> None:
        """Draws the n-th run of a seed."""
        # Not for secrets: a run must be the same on every machine.
        self._dice = random.Random(f"{seed}/{n}")
        self._open = still_open
        self.rows: dict[str, list[Row]] = {
            name: []
            for name in ("stages", "items", "ledger", "milestones", "handoffs", "promises", "faults", "waiting")
        }
        self._head(n)
        self._lead()
        self.run = self._counted()

    def _pick(self, choices: Any) -> Any:
        values, weights = zip(*choices, strict=True)
        return self._dice.choices(values, weights)[0]

    def _head(self, n: int) -> None:
        dice = self._dice
        self._plan: Plan = self._pick(PLANS)
        self._segment: str = self._pick(SEGMENTS)
        customer = f"c-{n:06}"
        variant = self._segment if self._segment in ("smb", "enterprise") else ""
        version = self._pick(self._plan.versions)
        self._of = {
            "run": f"onboarding/{customer}/{self._plan.definition}", "definition": self._plan.definition, "version": version,
            "variant": variant, "hash": f"{self._plan.definition}-{version}-{variant}",
        }  # fmt: skip
        days = dice.uniform(0, 14 * PACE[self._segment]) if self._open else dice.uniform(120, MONTHS * 30)
        self._started = NOW - timedelta(seconds=int(days * 86_400))
        self._signed = self._started - timedelta(seconds=dice.randrange(3 * 86_400)) if dice.random() < 0.95 else None
        self._customer = customer
        self._now = self._started
        self._team = {role: dice.choice(NAMES) for role in dict.fromkeys(phase.role for phase in self._plan.phases)}
        self._ends_in = dice.randrange(1, 7) if dice.random() < 0.1 else None
        """The stage in which the customer is lost, if any."""
        self._steps = 0

    def who(self, role: str) -> str:
        """Who holds a role."""
        if role not in self._team:
            ours = role in ("sales", "lead", "engineering")
            self._team[role] = self._dice.choice(NAMES) if ours else f"customer:{role}"
        return self._team[role]

    # The way through the stages --------------------------------------------------------------------------------------

    def _lead(self) -> None:
        works = [(place, work) for place, phase in enumerate(self._plan.phases) for work in phase.works]
        stop = self._end(works)
        entered: dict[int, datetime] = {}
        for n, (place, work) in enumerate(works):
            if n == stop or (self._open and self._not_yet(work)):
                stop = n
                break
            entered.setdefault(place, self._now)
            self._do(self._plan.phases[place].stage, work)
            if n + 1 == len(works) or works[n + 1][0] != place:
                self._leave(place, entered[place])
        self._stopped_at = works[stop] if stop < len(works) else None
        self._stages_behind(entered)
        if self._stopped_at is not None:
            self._stay(works[stop:], entered)

    def _end(self, works: list[tuple[int, Work]]) -> int:
        """After how many items the run ends at the latest."""
        if self._open:
            return len(works) - 1
        if self._ends_in is None:
            return len(works)
        return next(n for n, (place, _) in enumerate(works) if place == self._ends_in)

    def _do(self, stage: str, work: Work) -> None:
        """One item until it is done, in as many rounds as that takes."""
        rounds = 1 + (work.kind == "request" and self._dice.random() < 0.25) * self._dice.choice((1, 1, 2))
        for n in range(1, rounds + 1):
            if self._dice.random() < 0.004:
                self._pause(stage, work)
            since = self._now
            self._book(stage, work, n, self._length(work))
            item = self._item(stage, work, n, since)
            item |= {"status": "done", "answered_at": self._now, "closed_at": self._now}
            item["late"] = item["due_at"] is not None and self._now > item["due_at"]
            item["steps"] = int(item["late"]) and self._dice.randrange(1, 4)
            if n < rounds:
                item["outcome"] = "returned"
                self._fault(work, n)
            self._steps += item["steps"] > 1
            self.rows["items"].append(item)
            if work.handoff:
                self._hand_over(work, n, since, self._now)

    def _not_yet(self, work: Work) -> bool:
        """Whether there was no time for this item yet."""
        return NOW - self._now < timedelta(hours=2 * work.hours * PACE[self._segment])

    def _length(self, work: Work) -> int:
        hours = work.hours * PACE[self._segment] * self._dice.lognormvariate(0, 0.6)
        return max(60, int(hours * _HOUR))

    def _pause(self, stage: str, work: Work) -> None:
        self._book(stage, work, 1, self._dice.randrange(1, 10) * 86_400, hold=True)

    def _book(self, stage: str, work: Work, n: int, seconds: int, *, hold: bool = False) -> None:
        if self._open:  # what has been done so far was done before now
            seconds = min(seconds, int((NOW - self._now).total_seconds()) // 2)
        since, self._now = self._now, self._now + timedelta(seconds=seconds)
        people = work.kind != "hook" and work.side != "third_party"
        working = 0 if hold else int(seconds * self._dice.uniform(0.25, 0.45)) if people else seconds
        self.rows["ledger"].append(
            self._of | {
                "n": len(self.rows["ledger"]) + 1, "item": work.item, "stage": stage, "round": n,
                "side": "hold" if hold else work.side, "who": self.who(work.role), "held_side": work.side if hold else None,
                "clock": work.side if people else "calendar", "since": since, "to": self._now, "seconds": seconds,
                "working_seconds": working,
            }
        )  # fmt: skip

    def _item(self, stage: str, work: Work, n: int, since: datetime) -> Row:
        due = since + timedelta(seconds=int(work.hours * PACE[self._segment] * 1.6 * _HOUR))
        due_at = None if work.kind == "hook" else due
        return self._of | {
            "item": work.item, "round": n, "stage": stage, "kind": work.kind, "title": work.item.replace("_", " ").capitalize(),
            "status": "open", "owner": self.who(work.role), "side": work.side, "asked": work.side, "clock": work.side,
            "optional": False, "opened_at": since, "due_at": due_at, "promised_at": due_at if work.side == "customer" else None,
            "answered_at": None, "closed_at": None, "late": False, "tacit": False, "outcome": None, "steps": 0, "mark": None,
            "stands_for": None, "blocks": ("go_live",),
        }  # fmt: skip

    def _fault(self, work: Work, n: int) -> None:
        field = self._dice.choice(("/fields/vat_id", "/fields/legal_name", "/files/0"))
        self.rows["faults"].append(
            self._of | {
                "source": "answer", "item": work.item, "n": n, "k": 1, "place": field, "code": "does_not_match", "at": self._now,
            }
        )  # fmt: skip

    def _hand_over(self, work: Work, n: int, since: datetime, to: datetime | None) -> None:
        seconds = None if to is None else int((to - since).total_seconds())
        self.rows["handoffs"].append(
            self._of | {
                "item": work.item, "n": n, "giver": self.who("sales"), "receiver": self.who(work.role), "released_at": since,
                "ended_at": to, "accepted": None if to is None else True, "outcome": None if to is None else "accept",
                "seconds": seconds,
            }
        )  # fmt: skip

    def _stage(self, place: int, **changes: Any) -> Row:
        phase = self._plan.phases[place]
        return self._of | {
            "stage": phase.stage, "visit": 1, "place": place, "title": phase.stage.replace("_", " ").capitalize(),
            "owner": self.who(phase.role), "status": "not_ready", "milestone": phase.milestone, "entered_at": None,
            "left_at": None, "target_at": None,
        } | changes  # fmt: skip

    def _planned(self, place: int, entered: datetime) -> datetime:
        hours = sum(work.hours for work in self._plan.phases[place].works)
        return entered + timedelta(seconds=int(hours * PACE[self._segment] * 1.2 * _HOUR))

    def _leave(self, place: int, entered: datetime) -> None:
        target = self._planned(place, entered)
        self.rows["stages"].append(
            self._stage(place, status="done", entered_at=entered, left_at=self._now, target_at=target)
        )
        name = self._plan.phases[place].milestone
        if name is not None:
            seconds = int((self._now - self._counted_from).total_seconds())
            self.rows["milestones"].append(self._of | {"name": name, "at": self._now, "seconds": seconds})

    def _stages_behind(self, entered: dict[int, datetime]) -> None:
        """The stages that were not left, and of these the one in which the run stopped, which is open."""
        for place in range(len(self.rows["stages"]), len(self._plan.phases)):
            row = self._stage(place)
            if self._stopped_at is not None and place == self._stopped_at[0]:
                at = entered.setdefault(place, self._now)
                row |= {"status": "open", "entered_at": at, "target_at": self._planned(place, at)}
            self.rows["stages"].append(row)

    # Where it stands now ---------------------------------------------------------------------------------------------

    def _stay(self, works: list[tuple[int, Work]], entered: dict[int, datetime]) -> None:
        """The items that are open, or were when the customer was lost; the others are not ready or cancelled."""
        place = works[0][0]
        at_work = [work for other, work in works if other == place][:2] if self._open else []
        for other, work in works:
            item = self._item(self._plan.phases[other].stage, work, 1, self._now)
            if work in at_work:
                self._wait(item, work)
            else:
                item |= {
                    "status": "not_ready" if self._open else "cancelled",
                    "opened_at": None,
                    "due_at": None,
                    "promised_at": None,
                }
                item["closed_at"] = None if self._open else self._now
            self.rows["items"].append(item)
        if self._open:
            self._wait_for_gate(place, entered[place])

    def _wait(self, item: Row, work: Work) -> None:
        if work.kind == "hook":
            return
        late = item["late"] = item["due_at"] < NOW
        item["mark"] = "at_risk" if late and self._dice.random() < 0.3 else None
        deputy = (self.who("lead"),) if self._dice.random() < 0.3 else ()
        for person in dict.fromkeys((item["owner"], *deputy)):
            self._waits(
                "item",
                item["item"],
                person,
                work.role,
                item | {"since": item["opened_at"], "first": person == item["owner"]},
            )

    def _wait_for_gate(self, place: int, since: datetime) -> None:
        phase = self._plan.phases[place]
        gate = {
            "item": None,
            "stage": phase.stage,
            "round": 1,
            "title": f"The gate of {phase.stage}",
            "status": "open",
            "mark": None,
        }
        more = {"side": "provider", "stands_for": None, "blocks": (), "since": since, "due_at": None, "first": True}
        self._waits("gate", f"facts.{phase.stage}_confirmed", self.who(phase.role), phase.role, gate | more)

    def _waits(self, kind: str, about: str, person: str, role: str, like: Row) -> None:
        names = (
            "stage", "item", "round", "first", "title", "status", "side", "since", "due_at", "stands_for", "mark", "blocks",
        )  # fmt: skip
        self.rows["waiting"].append(
            self._of | {name: like[name] for name in names}
            | {"kind": kind, "about": about, "person": person, "role": role, "waits_for": f"Waits for {person} to do it."}
        )  # fmt: skip

    # Its numbers -----------------------------------------------------------------------------------------------------

    @property
    def _counted_from(self) -> datetime:
        return self._signed or self._started

    def _counted(self) -> Row:
        outcome = (
            None
            if self._open
            else "live"
            if self._ends_in is None
            else self._dice.choice(("lost", "lost", "cancelled"))
        )
        closed = None if self._open else self._now
        live = closed if outcome == "live" else None
        reached = {row["name"]: row for row in self.rows["milestones"]}
        value = reached.get("first_value")
        sides = counting.sides(self.rows["ledger"])
        return (
            self._of
            | self._standing(outcome, closed)
            | self._dates(live)
            | sides
            | {
                "first_value": value is not None,
                "first_value_at": value and value["at"],
                "time_to_first_value": value and value["seconds"],
                "time_to_live": live and int((live - self._counted_from).total_seconds()),
                "elapsed": closed and int((closed - self._started).total_seconds()),
                "milestones": {name: row["at"] for name, row in reached.items()},
                "metrics": {
                    "time_to_first_value": value and value["seconds"],
                    "customer_wait": sides["customer_seconds"],
                },
                "longest_silence": max((row["seconds"] for row in self.rows["ledger"]), default=0),
                "handoff_seconds": sum(row["seconds"] or 0 for row in self.rows["handoffs"]),
            }
            | {"escalations": self._steps, "refused": 0}
            | counting.answers(self.rows["items"], NOW)
        )

    def _standing(self, outcome: str | None, closed: datetime | None) -> Row:
        now = next((row for row in reversed(self.rows["stages"]) if row["status"] == "open"), None)
        now = now or next(row for row in reversed(self.rows["stages"]) if row["entered_at"] is not None)
        waiting = self.rows["waiting"]
        dues = sorted(row["due_at"] for row in waiting if row["due_at"] is not None)
        held = self._open and self._dice.random() < 0.05
        health = (
            "on_track"
            if not any(due < NOW for due in dues)
            else self._dice.choice(("at_risk", "at_risk", "stalled", "escalated"))
        )
        return {
            "customer": self._customer, "segment": self._segment, "wave": self._dice.choice(WAVES),
            "state": "closed" if closed else "on_hold" if held else "running", "outcome": outcome,
            "health": "on_hold" if held else health, "stage": now["stage"], "owner": now["owner"],
            "waiting_on": "nobody" if closed else waiting[0]["side"] if waiting else "third_party",
            "waiting_since": None if closed else waiting[0]["since"] if waiting else self._now,
            "due_at": dues[0] if dues else None, "signed_at": self._signed, "started_at": self._started, "closed_at": closed,
            "counted_from": self._counted_from, "month": f"{self._counted_from:%Y-%m}",
        }  # fmt: skip

    def _dates(self, live: datetime | None) -> Row:
        first = self._started + timedelta(days=int(self._plan.target_days * PACE[self._segment]))
        moved = self._dice.random() < 0.2
        last = first + timedelta(days=self._dice.randrange(1, 15)) if moved else first
        for n, due in enumerate(dict.fromkeys((first, last)), start=1):
            self.rows["promises"].append(
                self._of | {
                    "n": n, "kind": "go_live", "name": "go_live", "due_at": due, "at": self._started, "to": "customer:champion",
                    "by": "engine" if n == 1 else self.who("lead"), "cause": "plan" if n == 1 else "promise", "side": "provider",
                    "reason": "as planned" if n == 1 else "more to set up",
                }
            )  # fmt: skip
        on_time = live <= first if live else False if first < NOW else None
        promised = {
            "first_promised_at": first,
            "owed_at": first,
            "promised_at": last,
            "on_time": on_time,
            "live_at": live,
        }
        return promised | self._forecast(first)

    def _forecast(self, planned: datetime) -> Row:
        if not self._open:
            return dict.fromkeys(("forecast_at", "forecast_late_at", "forecast_runs", "forecast_item"))
        likely = max(planned, NOW) + timedelta(days=self._dice.randrange(-5, 5))
        late = likely + timedelta(days=self._dice.randrange(1, 6))
        return {"forecast_at": likely, "forecast_late_at": late, "forecast_runs": 200, "forecast_item": None}
