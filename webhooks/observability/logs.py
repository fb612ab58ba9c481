"""Configure logging: one line per event or decision, without secrets and without anything that forges a line."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from webhooks.forks import Lock
from webhooks.observability.redaction import Redactor
from webhooks.text import cut, escape_invisible

# What gunicorn logs if reading from a client fails, also because of the time limit in gunicorn.conf.py.
SOCKET_ERROR = "Socket error processing request."
# Characters of a message, or of an exception's text.
MAX_LENGTH = 10_000
# The ids that a message names, such as `event 41`, `event=41` and `Job 7 (…)`.
ID_IN_MESSAGE = re.compile(r"\b(event|job|incident|group)[ =]([0-9]{1,18})\b", re.ASCII | re.IGNORECASE)
# Names from outside are quoted; what looks like an id in them is none.
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# The ids that all lines of a thread are about.
LOG_IDS: ContextVar[Mapping[str, int | str]] = ContextVar("log_ids", default=MappingProxyType({}))
CAUSED = "The above exception was the direct cause of the following exception:"
DURING = "During handling of the above exception, another exception occurred:"

log = logging.getLogger(__name__)


class SafeFormatter(logging.Formatter):
    """A formatter that writes times in UTC, masks secrets, and makes nothing from outside look like another line.

    Messages and the texts of exceptions are on one line each; line ends, escape sequences and direction marks in them
    are shown by their numbers. Ids that the thread is about and the message does not name are at the end of the line.
    """

    converter = staticmethod(time.gmtime)

    def __init__(self, *args: Any, secrets: Iterable[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the traceback if there is one."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        named = {name for name, _ in _ids_in(record.message)}
        ids = "".join(f" {name}={value}" for name, value in LOG_IDS.get().items() if name not in named)
        lines = [self._safe(self.formatMessage(record)) + self._safe(ids)]
        # Not record.exc_text: another formatter may have left it there.
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            lines += self._traceback(traceback.TracebackException.from_exception(record.exc_info[1]))
        if record.stack_info:
            lines += map(self._safe, record.stack_info.splitlines())
        return "\n".join(lines)

    def _safe(self, text: str) -> str:
        return escape_invisible(cut(self._redact(text), MAX_LENGTH))

    def _traceback(self, found: traceback.TracebackException) -> Iterator[str]:
        """Yield the lines of an exception and of those that led to it, as Python prints them."""
        chain, links = [found], [""]
        while (cause := found.__cause__) or (not found.__suppress_context__ and found.__context__):
            links.insert(0, CAUSED if cause else DURING)
            found = cause or found.__context__  # type: ignore[assignment]
            chain.insert(0, found)
        for one, link in zip(chain, links, strict=True):
            if one.stack:
                yield "Traceback (most recent call last):"
                yield from map(self._safe, "".join(one.stack.format()).splitlines())
            yield self._safe("".join(one.format_exception_only()).rstrip("\n"))
            for inner in one.exceptions or ():
                yield from (f"  | {line}" for line in self._traceback(inner))
            if link:
                yield link


class JsonFormatter(SafeFormatter):
    """The same as one JSON object a line, with the ids of the event, the job and the incident that it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object; a traceback is one of its texts."""
        record.message = record.getMessage()
        values: dict[str, Any] = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._safe(record.message),
            **dict(reversed(_ids_in(record.message))),
            **LOG_IDS.get(),
            "process": record.process,
            "thread": record.threadName,
        }
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            lines = self._traceback(traceback.TracebackException.from_exception(record.exc_info[1]))
            values["traceback"] = "\n".join(lines)
        return json.dumps(values, ensure_ascii=False)


@contextmanager
def log_ids(**ids: int | str | None) -> Iterator[None]:
    """Add these ids to all lines that this thread logs meanwhile, also those of libraries."""
    token = LOG_IDS.set({**LOG_IDS.get(), **{name: number for name, number in ids.items() if number is not None}})
    try:
        yield
    finally:
        LOG_IDS.reset(token)


def add_log_ids(**ids: int | str | None) -> None:
    """Add these ids to the lines that follow within the innermost `log_ids`; outside of one, do nothing."""
    if LOG_IDS.get():
        LOG_IDS.set({**LOG_IDS.get(), **{name: number for name, number in ids.items() if number is not None}})


def _ids_in(message: str) -> list[tuple[str, int]]:
    """Return the ids that a message names outside of quotes, in its order."""
    return [(name.lower(), int(number)) for name, number in ID_IN_MESSAGE.findall(QUOTED.sub("''", message))]


class StalledClientFilter(logging.Filter):
    """Log a client that stalls in the middle of a request as one line.

    gunicorn logs it as an error of its own, with a traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record if it is about a stalled client; keep every record."""
        error = record.exc_info[1] if record.exc_info else None
        if record.msg == SOCKET_ERROR and isinstance(error, BlockingIOError | TimeoutError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args, record.exc_info = "Client stalled in the middle of a request", (), None
        return True


class LogLimiter:
    """Limits the lines of each kind to `burst` in `period` seconds, and counts the suppressed ones. Thread-safe."""

    def __init__(self, burst: int = 10, period: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._period, self._clock = burst, period, clock
        self._lock = Lock()
        # By kind: when the period began, the lines in it, and the lines suppressed since the last admitted one.
        self._periods: dict[str, tuple[float, int, int]] = {}

    def admit(self, kind: str) -> int | None:
        """Return the number of lines of this kind suppressed before this one, or None to suppress this one too."""
        now = self._clock()
        with self._lock:
            began, lines, suppressed = self._periods.get(kind, (now, 0, 0))
            if now - began >= self._period:
                began, lines = now, 0
            if lines >= self._burst:
                self._periods[kind] = (began, lines, suppressed + 1)
                return None
            self._periods[kind] = (began, lines + 1, 0)
            return suppressed


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret masked."""
    return Redactor(secrets)(text)


def configure(*, debug: bool, secrets: Iterable[str], as_json: bool = False) -> None:
    """Log everything to stderr through one formatter, including the exceptions that end a thread."""
    logging.config.dictConfig(configuration(debug=debug, secrets=secrets, as_json=as_json))
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread_exception


def show_prints_at_once() -> None:
    """Write each line that a handler prints at once: to a file or pipe, Python would write it at exit, or never."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def configuration(*, debug: bool, secrets: Iterable[str], as_json: bool = False) -> dict[str, Any]:
    """Return the logging configuration as a dictionary, which gunicorn takes as well; `as_json`: one object a line."""
    hidden = tuple(secrets)

    def formatter() -> SafeFormatter:
        line = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
        return (JsonFormatter if as_json else SafeFormatter)(line, "%Y-%m-%d %H:%M:%S", secrets=hidden)

    level = "DEBUG" if debug else "INFO"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"stalled_clients": {"()": StalledClientFilter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            # Their lines below this level contain bodies, headers and SQL.
            **{name: {"level": "WARNING"} for name in ("slack_sdk", "urllib3", "alembic", "sqlalchemy")},
            # Below INFO it logs URLs with tokens; without this entry gunicorn adds handlers of its own.
            "gunicorn.error": {"level": "INFO", "handlers": [], "filters": ["stalled_clients"], "propagate": True},
            # A line for each health check is noise; the receiver logs what it refuses.
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }


def _log_thread_exception(thread: threading.ExceptHookArgs) -> None:
    name = thread.thread.name if thread.thread else "unknown"
    log.error("Thread ended with an exception: thread=%s", name, exc_info=thread.exc_value)
