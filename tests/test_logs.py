"""The log never shows a secret, wherever it stands in a line."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from gunicorn.workers import gthread

from webhooks import logs

SECRETS = ["token/with+signs", "short", "short-and-long", "abc"]


def printed(message: str, *, failure: Exception | None = None) -> str:
    formatter = logs.configuration(debug=True, secrets=SECRETS)["formatters"]["line"]["()"]()
    trace = None
    if failure is not None:
        try:
            raise failure
        except type(failure):
            trace = sys.exc_info()
    record = logging.LogRecord("any", logging.INFO, "file.py", 1, message, None, trace)
    line: str = formatter.format(record)
    return line


def test_secrets_are_masked_in_every_form() -> None:
    """Plain, and as parts of a URL."""
    forms = ["token/with+signs", quote("token/with+signs"), quote("token/with+signs", safe="")]
    for form in forms:
        assert printed(f"POST /webhook/{form}?x").endswith("POST /webhook/***?x")


def test_longer_secret_is_masked_whole() -> None:
    """One secret may be the beginning of another."""
    assert printed("short-and-long!").endswith("***!")


def test_tracebacks_are_masked() -> None:
    """An exception's text is text like any other."""
    line = printed("oh", failure=ValueError("bad short-and-long"))
    assert "ValueError: bad ***" in line
    assert "short" not in line


def test_what_is_too_short_is_no_secret() -> None:
    """Masking three letters would blacken half of the log."""
    assert printed("abc").endswith("abc")


def test_without_secrets_nothing_changes() -> None:
    """An installation without any is logged as it is."""
    assert logs.redact("plain", []) == "plain"


@pytest.mark.parametrize(("error", "stalled"), [(BlockingIOError(11, "x"), True), (OSError(5, "x"), False)])
def test_stalled_client_is_one_line(capsys: pytest.CaptureFixture[str], error: OSError, stalled: bool) -> None:
    """Whoever opens a connection and says nothing must not fill the log; a real failure keeps its traceback."""
    root, gunicorns = logging.getLogger(), logging.getLogger("gunicorn.error")
    kept, filters = (root.handlers[:], root.level), gunicorns.filters[:]
    logs.configure(debug=False, secrets=[])
    try:
        raise error
    except OSError:
        gunicorns.exception(logs.SOCKET_ERROR)
    finally:
        (root.handlers[:], root.level), gunicorns.filters[:] = kept, filters
    lines = capsys.readouterr().err.splitlines()
    assert ("Traceback" in "".join(lines)) is not stalled
    if stalled:
        (line,) = lines
        assert " INFO " in line
        assert "stalled" in line


def test_gunicorn_still_says_it_so() -> None:
    """The filter knows the sentence by heart."""
    source = Path(gthread.__file__).read_text(encoding="utf-8")
    assert f'self.log.exception("{logs.SOCKET_ERROR}")' in source
