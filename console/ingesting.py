"""`ingest`: many messages from a file, each with its verdict; the same command goes on where the last one ended.

Lines about one customer are sent one after the other, in their order; those of different customers side by side. When a line gets no
verdict, later ones about the same customer are not sent before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, BinaryIO

import typer

from console import ground, sending
from console.choosing import Chosen, choose, say
from console.finding import Finder
from console.leaving import INVALID, RETRY, Answered, Misused
from console.lines import Broken, Said, read
from console.printing import Output, hint
from console.verdict_file import VerdictFile, code_of, final
from onboarding.errors import CustomerErased
from runtime.files import Unreadable, open_regular

app = typer.Typer()

PAUSES = (1.0, 2.0, 4.0)
"""Seconds between the attempts of a line, each of which takes fifteen at most."""
READ_AHEAD = 8
"""Lines read and not finished, for each that may be on its way."""
_EVERY = 5.0
"""Seconds between two words about how far it is."""
_BEHIND = "A line before this one, about the same customer, has no verdict yet; so this one was not sent. Give the same command again."
_MOVED = (
    "Line {} is another one than when its run took it: nothing from there on was sent, since lines without a message_id that have moved would be "
    "said again. Put new lines at the end, give each its message_id, or begin another file of verdicts."
)


@app.command("ingest")
def ingest(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of JSON lines, or - for what comes on stdin.")],
    verdicts: Annotated[
        Path | None, typer.Option("--verdicts", help="Verdicts are added to this file, and what is final there is not sent again; default: stdout.", show_default=False)
    ] = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=64, help="Customers whose lines are sent at the same time.")] = 8,
    actor: Annotated[str | None, typer.Option("--actor", help="Who speaks where a line names nobody; of a CloudEvent integration:cloudevents.", show_default=False)] = None,
    output: Output = None,
) -> int:  # fmt: skip
    """Sends each line of a file to its run, and tells the verdict of each as a line of JSON."""
    ground.settings()
    kept = VerdictFile(verdicts) if verdicts is not None else None
    try:
        with _opened(file) as stream:
            return ground.run(_ingest(read(stream, actor), kept, at_once))
    finally:
        if kept is not None:
            kept.close()


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with open_regular(Path(file)) as stream:
            yield stream
    except Unreadable as why:
        hint(f"The file {file!r} cannot be read ({why}).")
        raise typer.Exit(INVALID) from None


async def _ingest(lines: Iterator[Said | Broken], kept: VerdictFile | None, at_once: int) -> int:
    work = Ingest(Sender(await ground.client(sends=True)), kept, at_once)
    return await work.all(lines)


class Sender:
    """Says one line to its run."""

    def __init__(self, client: Any) -> None:
        """The client stays the caller's."""
        self._client = client
        self._finder = Finder(client)

    async def customer(self, said: Said) -> str:
        """Whose order a line has to keep; one word for all of which it is not known."""
        from workflows.address import parse_run

        if said.run is not None:
            parsed = parse_run(said.run.strip())
            return parsed.customer if parsed is not None else ""
        assert said.wanted is not None
        customers = await self._finder.customers(said.wanted)
        return customers[0] if customers and len(customers) == 1 else ""

    async def say(self, said: Said) -> dict[str, Any]:
        """The verdict on a line, whatever it is."""
        found: dict[str, Any] = {}
        for pause in (*PAUSES, None):
            found = await self._once(said)
            if final(found) or pause is None:
                break
            await asyncio.sleep(pause)
        return found

    async def _once(self, said: Said) -> dict[str, Any]:
        try:
            sending.judged_here(said.name, said.content)
            if said.wanted is None:
                chosen = Chosen(run=ground.workflow_id(said.run or ""), content=said.content)
            else:
                (chosen,) = await choose(self._finder, said.wanted, said.name, said.content)
            return await say(self._client, chosen, said.name)
        except Answered as no:
            return sending.as_verdict(no.answer, said.message_id)
        except CustomerErased as gone:  # about this line alone: nothing can be encrypted for them any more
            answer = {"outcome": "closed", "code": gone.code, "sentence": str(gone)}
            return sending.as_verdict(answer, said.message_id)
        except Exception as error:
            return self._later(said, error)

    @staticmethod
    def _later(said: Said, error: Exception) -> dict[str, Any]:
        """What may be over in a moment is asked again; anything else ends the command."""
        from temporalio.service import RPCError, RPCStatusCode as Status

        from runtime.errors import KeysUnavailable
        from storage.faults import DatabaseUnavailable

        passing = (
            Status.UNAVAILABLE,
            Status.DEADLINE_EXCEEDED,
            Status.CANCELLED,
            Status.RESOURCE_EXHAUSTED,
            Status.ABORTED,
        )
        if isinstance(error, DatabaseUnavailable | KeysUnavailable):
            problem = error.sentence.rstrip(".")
        elif isinstance(error, RPCError) and error.status in passing:
            problem = "the server has not answered"
        else:
            raise error
        return sending.retry_later(said.run or "", said.message_id, problem).answer


class Ingest:
    """One pass over a file: bounded in memory however long it is, and over when nobody answers any more."""

    def __init__(self, sender: Sender, kept: VerdictFile | None, at_once: int) -> None:
        """Verdicts go to `kept`, or to stdout."""
        self._sender, self._kept = sender, kept
        self._gate, self._room = asyncio.Semaphore(at_once), asyncio.Semaphore(at_once * READ_AHEAD)
        self._most_unanswered = 2 * at_once
        self._last: dict[str, asyncio.Task[None]] = {}
        self._stuck: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._worst = kept.worst if kept is not None else 0
        self._read = self._before = self._final = self._refused = self._unanswered = self._in_vain = 0
        self._trouble: BaseException | None = None
        self._spoke = monotonic()

    async def all(self, lines: Iterator[Said | Broken]) -> int:
        """The exit code: 75 where a line has no verdict, else the highest of all verdicts."""
        try:
            async for line in _patiently(lines):
                self._read += 1
                if self._kept is not None and self._kept.has(line.line, _id(line)):
                    self._before += 1
                    continue
                if self._has_moved(line):
                    self._trouble = Misused(_MOVED.format(line.line))
                    break
                await self._take(line)
                if self._over:
                    break
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
        if self._trouble is not None:
            raise self._trouble
        self._tell(last=True)
        return RETRY if self._unanswered else self._worst

    @property
    def _over(self) -> bool:
        return self._trouble is not None or self._in_vain >= self._most_unanswered

    def _has_moved(self, line: Said | Broken) -> bool:
        """Whether lines stand elsewhere than when they were taken, so that those without an id of their own would be said again."""
        if self._kept is None or not isinstance(line, Said) or not line.numbered:
            return False
        return self._kept.took_another(line.line, line.message_id)

    async def _take(self, line: Said | Broken) -> None:
        if isinstance(line, Broken):
            told = asdict(line)
            self._told({"line": told.pop("line"), "message_id": None, "run": None, **told})
            return
        await self._room.acquire()
        try:
            customer = await self._sender.customer(line)
        except Exception:  # told by the task of the line, which asks the same and tries again
            customer = ""
        task = asyncio.create_task(self._one(line, customer, self._last.get(customer)))
        self._last[customer] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, said: Said, customer: str, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await asyncio.wait((before,))
            if customer in self._stuck or self._over:
                self._told(_line(said, {"outcome": "retry_later", "code": "behind_unanswered", "sentence": _BEHIND}))
                return
            async with self._gate:
                verdict = await self._sender.say(said)
            self._in_vain = 0 if final(verdict) else self._in_vain + 1
            if not final(verdict):
                self._stuck.add(customer)
            self._told(_line(said, verdict))
        except Exception as error:
            self._trouble = self._trouble or error
        finally:
            self._room.release()
            if self._last.get(customer) is asyncio.current_task():
                del self._last[customer]

    def _told(self, verdict: dict[str, Any]) -> None:
        if final(verdict):
            self._final += 1
            code = code_of(verdict["outcome"])
            self._refused += code > 0
            self._worst = max(self._worst, code)
        else:
            self._unanswered += 1
        if self._kept is not None:
            self._kept.write(verdict)
        else:
            print(json.dumps(verdict, ensure_ascii=False, separators=(",", ":")), flush=True)
        if monotonic() - self._spoke >= _EVERY:
            self._tell()

    def _tell(self, *, last: bool = False) -> None:
        """How far it is, beside the data."""
        self._spoke = monotonic()
        known = f", {self._before} final before" if self._before else ""
        said = f"{self._read} lines read{known}; {self._final} verdicts, {self._refused} of them refusals; {self._unanswered} without one."
        if last and self._unanswered:
            said += " Nobody answered, so the rest was not read." if self._in_vain >= self._most_unanswered else ""
            said += (
                " Give the same command again: it goes on there."
                if self._kept
                else " Give it again, with --verdicts FILE it goes on there."
            )
        hint(said)


def _line(said: Said, verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict as a line: what it is about, its outcome, and of a refusal each fault; nothing that was sent."""
    told = {"line": said.line, "message_id": said.message_id, "run": verdict.get("run") or said.run}
    told |= {name: verdict[name] for name in ("outcome", "code", "sentence")}
    if verdict.get("faults"):
        told["faults"] = verdict["faults"]
    return told


def _id(line: Said | Broken) -> str | None:
    return line.message_id if isinstance(line, Said) else None


async def _patiently(lines: Iterator[Said | Broken]) -> AsyncIterator[Said | Broken]:
    """Lines as they come: what is typed or piped may take its time. Read by a thread that nobody waits for when the command ends."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Said | Broken | BaseException | None] = asyncio.Queue(READ_AHEAD)

    def hand_over(one: Said | Broken | BaseException | None) -> None:
        if loop.is_closed():
            return  # the command has ended, and nobody takes it
        with contextlib.suppress(RuntimeError, CancelledError):
            asyncio.run_coroutine_threadsafe(queue.put(one), loop).result()

    def follow() -> None:
        last: BaseException | None = None
        try:
            for line in lines:
                hand_over(line)
                if loop.is_closed():
                    return
        except Exception as error:
            last = error
        hand_over(last)

    threading.Thread(target=follow, daemon=True).start()
    while (line := await queue.get()) is not None:
        if isinstance(line, BaseException):
            raise line
        yield line
