"""What the server writes to its log: one line an event or decision, and never a secret."""

from __future__ import annotations

import logging
import logging.config
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
SOCKET_ERROR = "Socket error processing request."
"""What gunicorn says where reading from a client fails, also by the time limit in gunicorn.conf.py."""
SHORTEST = 4
"""A shorter secret is no secret, and masking it would blacken half of the log."""


class Redacting(logging.Formatter):
    """A formatter that masks secrets in the finished line, tracebacks and URLs included."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.hidden: re.Pattern[str] | None = None

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return self.hidden.sub(MASK, line) if self.hidden else line


class Stalled(logging.Filter):
    """Makes one line of a client that began a request and sent no more of it: gunicorn takes that for an error of its
    own and adds a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if record.msg == SOCKET_ERROR and isinstance(error, BlockingIOError | TimeoutError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args, record.exc_info = "A client stalled in the middle of its request", (), None
        return True


def pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """Matches every secret, also where it is written as part of a URL; None where there is no secret."""
    known = [secret for secret in secrets if len(secret) >= SHORTEST]
    forms = {form for secret in known for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))}
    # Longest first: one secret may be part of another.
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret masked."""
    hidden = pattern(secrets)
    return hidden.sub(MASK, text) if hidden else text


def configure(*, debug: bool, secrets: Iterable[str]) -> None:
    """Sends everything to stderr through one redacting formatter."""
    logging.config.dictConfig(dictionary(debug=debug, secrets=secrets))


def dictionary(*, debug: bool, secrets: Iterable[str]) -> dict[str, Any]:
    """The logging configuration, as gunicorn takes it too."""
    hidden = pattern(secrets)

    def formatter() -> Redacting:
        made = Redacting("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        made.hidden = hidden
        return made

    level = "DEBUG" if debug else "INFO"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"stalled": {"()": Stalled}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            # What they say below that holds bodies, headers and SQL.
            **{name: {"level": "WARNING"} for name in ("slack_sdk", "urllib3", "alembic", "sqlalchemy")},
            # Below INFO it prints addresses, tokens included; gunicorn would else add handlers of its own.
            "gunicorn.error": {"level": "INFO", "handlers": [], "filters": ["stalled"], "propagate": True},
            # A line for each health check is noise; the receiver tells what it refuses.
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }
