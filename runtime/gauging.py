"""Sets business numbers on the SDK's meter, so that they leave beside its own. Runs beside a worker.

Several workers of one installation tell the same numbers: whoever adds them up counts twice, so dashboards take the largest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from temporalio.common import MetricGauge, MetricGaugeFloat, MetricMeter

EVERY: Final = 60.0
"""Seconds between two readings: what a dashboard shows is at most this much older than the rows."""

_log = logging.getLogger("gauging")


class Described(Protocol):
    """What a gauge is called, what it means, and whether it counts whole things."""

    @property
    def name(self) -> str: ...
    @property
    def means(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def whole(self) -> bool: ...


class Read(Protocol):
    """One value for one set of labels."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> int | float: ...


class Gauges:
    """Gauges on a meter, and where their values are read. A database that is away disturbs nobody: they stay as they were."""

    def __init__(self, meter: MetricMeter, gauges: Iterable[Described], read: Callable[[], Iterable[Read]]) -> None:
        self._whole: dict[str, MetricGauge] = {}
        self._parts: dict[str, MetricGaugeFloat] = {}
        for one in gauges:
            if one.whole:
                self._whole[one.name] = meter.create_gauge(one.name, one.means, one.unit)
            else:
                self._parts[one.name] = meter.create_gauge_float(one.name, one.means, one.unit)
        self._read = read
        self._failed = False

    async def run(self) -> None:
        """Reads and sets until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Sets every gauge once; what fails is said once, and again when it is over."""
        try:
            self.show(await asyncio.to_thread(self._read))
        except Exception as error:
            if not self._failed:
                _log.warning("gauges_unread", extra={"code": getattr(error, "code", type(error).__name__)})
            self._failed = True
            return
        if self._failed:
            _log.info("gauges_read_again")
        self._failed = False

    def show(self, found: Iterable[Read]) -> None:
        """Sets values that somebody has read; the others stay as they were."""
        for one in found:
            if one.name in self._whole:
                self._whole[one.name].set(max(0, int(one.value)), one.labels)
            else:
                self._parts[one.name].set(one.value, one.labels)
