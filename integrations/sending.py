"""Brings notices to people: claims what may leave, asks who that is and how it reads, and tries the channels in their order.

An asyncio loop beside the worker; any number of them may share one outbox, see docs/decisions/0014-outbox.md. Nothing here is waited for
by a run: a channel that hangs holds up its own letters and nothing else.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from integrations.letters import Channel, Directory, Letter, NotTaken, Postponed, Reader
from integrations.marking import Marks
from integrations.trying import OF_UNKNOWN, PACED, PASSING, UNKNOWN, Way, is_doubtful, lasts, pause
from onboarding.crash_points import reached
from onboarding.engine.effects import Notice
from onboarding.ports import Claimed, Sent

_T = TypeVar("_T")
LOOK: Final = 0.5
"""Seconds between two looks at the outbox, where nothing happens."""
SOONEST: Final = 0.05
"""The same while letters leave: one that has left may let the next one of its run go."""
AT_ONCE: Final = 100
"""Letters in hand; what is ready beyond waits in the database."""
WHOLE: Final = 50.0
"""Seconds for one notice, all its channels together."""
LEASE: Final = timedelta(seconds=60)
"""For so long nobody else tries a notice: longer than `WHOLE`, so that it only runs out where a worker died or stood still."""
ASKING: Final = 8
"""Threads that ask directories and fill in templates: neither may keep the worker's own waiting."""

_log = logging.getLogger("sending")


class Outbox(Protocol):
    """Where notices wait. `storage.notices` and `storage.memory` fulfil it; what each does is said there."""

    def claim(self, most: int, now: datetime, lease: timedelta) -> Sequence[Claimed]: ...
    def mark_sent(self, *marks: Sent) -> int: ...
    def put_off(
        self, claimed: Claimed, code: str, next_at: datetime, *, doubtful: bool, tried: bool = True
    ) -> bool: ...
    def fail(self, claimed: Claimed, code: str, at: datetime, *, doubtful: bool = False) -> bool: ...
    def lapse(self, claimed: Claimed, at: datetime, *, doubtful: bool = False) -> bool: ...


class Renderer(Protocol):
    """Makes a notice readable for one person. Called in a thread."""

    def letter(self, notice: Notice, reader: Reader) -> Letter:
        """Raises `NotTaken` where this notice can never be rendered; anything else is tried again."""


class Routes(Protocol):
    """Knows by which ways a notice goes."""

    def channels(self, notice: Notice, reader: Reader) -> Sequence[Channel]:
        """In the order in which they are tried; the same objects every time. Raises `NotTaken` where none leads to this reader."""


class Sender:
    """One of any number of senders on one outbox."""

    def __init__(
        self,
        outbox: Outbox,
        directory: Directory,
        renderer: Renderer,
        routes: Routes,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Directory and renderer are called in threads of our own; channels on the loop that runs this."""
        self._outbox, self._directory, self._renderer, self._routes = outbox, directory, renderer, routes
        self._clock, self._draw = clock, draw
        self._ways: dict[str, Way] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._unmarked: dict[str, Sent] = {}
        self._stopping = False
        self._moved = asyncio.Event()
        self._asking = ThreadPoolExecutor(ASKING, thread_name_prefix="letters")
        self._marking = ThreadPoolExecutor(2, thread_name_prefix="outbox")
        self._writing: set[Future[Any]] = set()
        self._marks = Marks(functools.partial(self._in, self._marking, self._mark))

    async def run(self) -> None:
        """Sends until it is cancelled; whatever fails is tried again."""
        while True:
            try:
                await self.look()
            except Exception as error:
                _log.warning("outbox_unread", extra={"code": _code(error)})
            await asyncio.sleep(SOONEST)
            try:
                async with asyncio.timeout(LOOK - SOONEST):
                    await self._moved.wait()
            except TimeoutError:
                pass
            self._moved.clear()

    async def look(self) -> int:
        """Takes in hand what may leave, as much as there is room for; how many that were. Does not wait until they have left."""
        for mark in list(self._unmarked.values()):  # one by one: it may be one of them only that cannot be written
            await self._marked(mark)
        room = AT_ONCE - len(self._busy) - len(self._unmarked)
        if room <= 0:
            return 0
        claiming = self._in(self._marking, self._claim, room)
        # Whoever cancels the look must not leave behind what was claimed: nobody else would have it for a minute.
        claiming.add_done_callback(self._take)
        return len(await asyncio.shield(claiming))

    async def drain(self, seconds: float) -> bool:
        """Waits for what is in hand; whether all of it is done. What is not is sent again by somebody when its lease is over."""
        if self._busy:
            await asyncio.wait(list(self._busy.values()), timeout=seconds)
        return not self._busy

    async def finish(self, seconds: float, *, most: float) -> bool:
        """Waits for what is in hand; what has not begun after `seconds` is given back, and what has begun may take until `most`."""
        if await self.drain(seconds):
            return True
        self._stopping = True
        for way in self._ways.values():
            way.stop()
        return await self.drain(max(0.0, most - seconds))

    async def close(self) -> None:
        """Lets go of what is in hand, of which nothing more is marked, and gives the channels back when the outbox has been written."""
        for task in list(self._busy.values()):
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        await asyncio.gather(*(way.close() for way in self._ways.values()), return_exceptions=True)
        self._asking.shutdown(wait=False, cancel_futures=True)
        self._marking.shutdown(wait=False, cancel_futures=True)
        # A thread does not end with its task, and holds a connection of a database that may be closed next.
        if self._writing:
            await asyncio.wait([asyncio.wrap_future(one) for one in list(self._writing)])

    def _claim(self, room: int) -> Sequence[Claimed]:
        claimed = self._outbox.claim(room, self._clock(), LEASE)
        for _ in claimed:
            reached("outbox.after_claim")
        return claimed

    def _take(self, claiming: asyncio.Future[Sequence[Claimed]]) -> None:
        if claiming.cancelled() or claiming.exception() is not None:
            return
        for one in claiming.result():
            key = one.notice.key
            if (
                key not in self._unmarked and key not in self._busy
            ):  # else its mark could not be kept for longer than its lease
                self._busy[key] = asyncio.create_task(self._bring(one))
                self._busy[key].add_done_callback(functools.partial(self._done, key))

    def _done(self, key: str, _: asyncio.Task[None]) -> None:
        self._busy.pop(key, None)
        self._moved.set()

    async def _bring(self, one: Claimed) -> None:
        """One notice, and what became of it. What the outbox does not take is known again when the lease is over."""
        about = {"run_key": one.notice.run, "kind": str(one.notice.kind)}
        try:
            if one.notice.kind in PASSING and self._is_old(one):
                await self._in(self._marking, self._lapse, one, False)
                _log.info("notice_overtaken", extra=about)
                return
            try:
                async with asyncio.timeout(WHOLE):
                    await self._send(one)
            except NotTaken as never:
                await self._in(self._marking, self._fail, one, never.code, False)
                _log.error("notice_failed", extra={**about, "code": never.code})
            except Postponed as later:
                await self._put_off(one, later, about)
            except TimeoutError:
                await self._put_off(one, Postponed("timeout"), about)
        except Exception as error:
            _log.warning("outbox_unwritten", extra={**about, "code": _code(error)})

    async def _send(self, one: Claimed) -> None:
        """Returns when a channel has taken it and it is marked. Raises `NotTaken` where none ever will, and `Postponed` where one may later."""
        notice = one.notice
        known = await self._asked("directory_failed", self._directory.reader, notice.run, notice.to)
        # A room, or a system that knows itself who a handle is, needs nothing of whom nobody knows here.
        reader = known or Reader(handle=notice.to, side=notice.side)
        try:
            channels = await self._asked("no_route", self._routes.channels, notice, reader)
        except NotTaken:
            if known is None:
                raise self._unknown(one) from None
            raise
        letter = await self._asked("not_rendered", self._renderer.letter, notice, reader)
        later: list[Postponed] = []
        never = NotTaken("no_channel")
        for channel in channels:
            way = self._way(channel)
            try:
                await way.send(letter, functools.partial(self._left, notice.key, channel.name), one.until)
                return
            except NotTaken as refused:
                never = refused
            except Postponed as put_off:
                later.append(put_off)
            except Exception as error:
                # A fault in one channel must not keep a notice from the next one.
                _log.warning("channel_failed", extra={"channel": channel.name, "code": type(error).__name__})
                later.append(Postponed("channel_failed"))
        if later:
            raise _together(later)
        raise never

    def _unknown(self, one: Claimed) -> NotTaken | Postponed:
        """Nobody knows the reader, and nothing leads to them without an address."""
        return NotTaken(UNKNOWN) if self._clock() - one.ready_at >= OF_UNKNOWN else Postponed(UNKNOWN)

    def _way(self, channel: Channel) -> Way:
        way = self._ways.setdefault(channel.name, Way(channel, self._clock))
        if self._stopping:
            way.stop()
        return way

    async def _asked(self, code: str, function: Callable[..., _T], *arguments: Any) -> _T:
        """What a helper in a thread says; whatever it raises, but a refusal, may be over the next time."""
        try:
            return await self._in(self._asking, function, *arguments)
        except (NotTaken, Postponed):
            raise
        except Exception as error:
            _log.warning("letter_delayed", extra={"code": code, "reason": type(error).__name__})
            raise Postponed(code) from None

    async def _put_off(self, one: Claimed, later: Postponed, about: dict[str, str]) -> None:
        doubtful = is_doubtful(later.code)
        if not self._is_old(one):
            await self._in(self._marking, self._wait, one, later, doubtful)
            _log.warning("notice_delayed", extra={**about, "code": later.code})
        elif one.notice.kind in PASSING:
            await self._in(self._marking, self._lapse, one, doubtful)
            _log.info("notice_overtaken", extra=about)
        else:
            await self._in(self._marking, self._fail, one, later.code, doubtful)
            _log.error("notice_failed", extra={**about, "code": later.code})

    async def _left(self, key: str, by: str) -> None:
        await self._marked(Sent(key, by, self._now()))

    async def _marked(self, mark: Sent) -> None:
        """Marks it as sent, and remembers that it has left where the outbox cannot be written: it must not leave twice."""
        try:
            await self._marks.add(mark)
            self._unmarked.pop(mark.key, None)
        except Exception as error:
            self._unmarked[mark.key] = mark
            _log.warning("mark_delayed", extra={"code": _code(error)})

    def _mark(self, marks: Sequence[Sent]) -> None:
        for mark in marks:
            if mark.key not in self._unmarked:
                reached("outbox.after_send")
        self._outbox.mark_sent(*marks)
        for _ in marks:
            reached("outbox.after_mark")

    def _wait(self, one: Claimed, later: Postponed, doubtful: bool) -> None:
        tried = later.code != PACED
        after = pause(one.tries, later.after, self._draw) if tried else timedelta(seconds=later.after or 1.0)
        self._outbox.put_off(one, later.code, self._clock() + after, doubtful=doubtful, tried=tried)

    def _fail(self, one: Claimed, code: str, doubtful: bool) -> None:
        self._outbox.fail(one, code, self._now(), doubtful=doubtful)

    def _lapse(self, one: Claimed, doubtful: bool) -> None:
        self._outbox.lapse(one, self._now(), doubtful=doubtful)

    def _is_old(self, one: Claimed) -> bool:
        return self._clock() - one.ready_at >= lasts(one.notice.kind)

    def _now(self) -> datetime:
        return self._clock().replace(microsecond=0)

    def _in(self, pool: ThreadPoolExecutor, function: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        running = pool.submit(function, *arguments)
        if pool is self._marking:
            self._writing.add(running)
            running.add_done_callback(self._writing.discard)
        return asyncio.wrap_future(running)


def _together(later: Sequence[Postponed]) -> Postponed:
    """What the channels say together: the soonest that any of them may be tried; one that may have arrived makes all doubtful.

    It waits for its turn at one of them only where it had to at each: else the others would be tried again at every such turn.
    """
    tried = [one for one in later if one.code != PACED] or later
    told = next((one for one in tried if is_doubtful(one.code)), tried[0])
    return Postponed(told.code, min(one.after or 0.0 for one in tried) or None)


def _code(error: Exception) -> str:
    return str(getattr(error, "code", type(error).__name__))
