"""Logging: no secret is shown wherever it is in a line, and no client floods the log."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from gunicorn.workers import gthread

from webhooks import logs

SECRETS = ["token/with+signs", "short", "short-and-long", "abc"]


def formatted(message: str, *, failure: Exception | None = None, created: float = 0.0) -> str:
    """Return the line of a log record."""
    formatter = logs.configuration(debug=True, secrets=SECRETS)["formatters"]["line"]["()"]()
    trace = None
    if failure is not None:
        try:
            raise failure
        except type(failure):
            trace = sys.exc_info()
    record = logging.LogRecord("any", logging.INFO, "file.py", 1, message, None, trace)
    record.created = created
    line: str = formatter.format(record)
    return line


def test_secrets_are_masked_in_every_form() -> None:
    """As they are, and as parts of a URL."""
    forms = ["token/with+signs", quote("token/with+signs"), quote("token/with+signs", safe="")]
    for form in forms:
        assert formatted(f"POST /webhook/{form}?x").endswith("POST /webhook/***?x")


def test_longer_secret_is_masked_whole() -> None:
    """One secret may be the beginning of another."""
    assert formatted("short-and-long!").endswith("***!")


def test_tracebacks_are_masked() -> None:
    """The text of an exception may contain a secret."""
    line = formatted("oh", failure=ValueError("bad short-and-long"))
    assert "ValueError: bad ***" in line
    assert "short" not in line


def test_short_texts_are_not_masked() -> None:
    """Masking three letters would hide half of the log."""
    assert formatted("abc").endswith("abc")


def test_without_secrets_nothing_changes() -> None:
    """An installation without secrets is logged as it is."""
    assert logs.redact("plain", []) == "plain"


def test_times_are_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times of log lines do not depend on the machine's time zone."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert formatted("x", created=1_769_851_800.0).startswith("2026-01-31 09:30:00 ")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("error", "stalled"), [(BlockingIOError(11, "x"), True), (OSError(5, "x"), False)])
def test_stalled_client_is_one_line(capsys: pytest.CaptureFixture[str], error: OSError, stalled: bool) -> None:
    """A client that connects and sends nothing must not fill the log; a real failure keeps its traceback."""
    root, gunicorns_logger = logging.getLogger(), logging.getLogger("gunicorn.error")
    before, filters = (root.handlers[:], root.level), gunicorns_logger.filters[:]
    logs.configure(debug=False, secrets=[])
    try:
        raise error
    except OSError:
        gunicorns_logger.exception(logs.SOCKET_ERROR)
    finally:
        (root.handlers[:], root.level), gunicorns_logger.filters[:] = before, filters
    lines = capsys.readouterr().err.splitlines()
    assert ("Traceback" in "".join(lines)) is not stalled
    if stalled:
        (line,) = lines
        assert " INFO " in line
        assert "stalled" in line


def test_gunicorn_logs_this_message() -> None:
    """The filter recognizes the message by its text."""
    source = Path(gthread.__file__).read_text(encoding="utf-8")
    assert f'self.log.exception("{logs.SOCKET_ERROR}")' in source


def test_limiter_counts_what_it_suppresses() -> None:
    """Each kind has its own limit; the first line of the next period has the number of suppressed ones."""
    now = 0.0
    limiter = logs.LogLimiter(burst=2, period=60, clock=lambda: now)
    assert [limiter.admit("401") for _ in range(5)] == [0, 0, None, None, None]
    assert limiter.admit("400") == 0
    now = 59.9
    assert limiter.admit("401") is None
    now = 60.0
    assert [limiter.admit("401") for _ in range(3)] == [4, 0, None]
