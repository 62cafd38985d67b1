"""Log lines of a process: structlog renders what the standard library collects, all of it to stderr.

Workflow and activity code log with `workflow.logger` and `activity.logger` and `extra=`; everything else
with `structlog.get_logger()`. Stdout belongs to data.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog
import temporalio.activity
import temporalio.workflow
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "console", "json"]

# An allow-list, because a record's extra may hold a customer's words: what is not named here is not written.
FIELDS = (
    "run_key", "item", "stage", "event_name", "definition", "version", "variant", "effect", "kind",
    "step", "round", "code", "outcome", "message_id", "attempt", "seconds", "count", "reason", "state",
    "address", "path", "task_queue", "workflow_id", "environment",
)  # fmt: skip
_TEMPORAL = ("temporal_workflow", "temporal_activity")


def set_up_logs(log_format: LogFormat = "auto", level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (default stderr). Calling it again replaces it.

    `level` is a name of the standard library. `auto` is `console` if the stream is a terminal.
    """
    stream = stream or sys.stderr
    as_text = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=(*FIELDS, *_TEMPORAL)),
        _flatten_temporal,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_text=as_text, colors=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    # The same facts are in `extra`; in the message they would be a Python dict as text.
    temporalio.workflow.logger.workflow_info_on_message = False
    temporalio.activity.logger.activity_info_on_message = False


def _renderers(*, as_text: bool, colors: bool) -> list[Processor]:
    # Never with local variables: they hold what customers wrote.
    if as_text:
        return [
            _steers_nothing,
            structlog.dev.ConsoleRenderer(
                colors=colors,
                timestamp_key="at",
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(transform),
        structlog.processors.EventRenamer("event"),
        structlog.processors.JSONRenderer(default=str),
    ]


def _steers_nothing(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A terminal obeys what it is shown: nothing in a line moves its cursor, colours it or begins another line."""
    return {
        name: "".join(char if char.isprintable() else "\ufffd" for char in value)
        if isinstance(value, str) and name not in ("exception", "stack")
        else value
        for name, value in event.items()
    }


def _flatten_temporal(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep of Temporal's own facts the ones that lead to the run; the rest is in the UI."""
    for source in _TEMPORAL:
        facts = event.pop(source, None)
        if isinstance(facts, dict):
            for name in ("workflow_id", "run_id", "activity_type", "attempt"):
                if name in facts:
                    event.setdefault(name, facts[name])
    return event
