"""Configure logging: one line per event or decision, without secrets."""

from __future__ import annotations

import logging
import logging.config
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
# What gunicorn logs if reading from a client fails, also because of the time limit in gunicorn.conf.py.
SOCKET_ERROR = "Socket error processing request."
# Shorter texts are not secret, and masking them would hide half of the log.
MIN_SECRET_LENGTH = 4


class RedactingFormatter(logging.Formatter):
    """A formatter that writes times in UTC and masks secrets in the finished line, including tracebacks and URLs."""

    converter = staticmethod(time.gmtime)

    def __init__(self, *args: Any, secrets: Iterable[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._secrets = secrets_pattern(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        line = super().format(record)
        return self._secrets.sub(MASK, line) if self._secrets else line


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
        self._lock = threading.Lock()
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


def secrets_pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that matches every secret, also as part of a URL; None if there is no secret."""
    known = [secret for secret in secrets if len(secret) >= MIN_SECRET_LENGTH]
    forms = {form for secret in known for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))}
    # Longest first: one secret may be part of another.
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret masked."""
    pattern = secrets_pattern(secrets)
    return pattern.sub(MASK, text) if pattern else text


def configure(*, debug: bool, secrets: Iterable[str]) -> None:
    """Log everything to stderr through one redacting formatter."""
    logging.config.dictConfig(configuration(debug=debug, secrets=secrets))


def configuration(*, debug: bool, secrets: Iterable[str]) -> dict[str, Any]:
    """Return the logging configuration as a dictionary, which gunicorn takes as well."""
    hidden = tuple(secrets)

    def formatter() -> RedactingFormatter:
        line = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
        return RedactingFormatter(line, "%Y-%m-%d %H:%M:%S", secrets=hidden)

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
