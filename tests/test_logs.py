"""The log never shows a secret, wherever it stands in a line."""

from __future__ import annotations

import logging
import sys
from urllib.parse import quote

from webhooks import logs

SECRETS = ["token/with+signs", "short", "short-and-long", "abc"]


def printed(message: str, *, failure: Exception | None = None) -> str:
    formatter = logs.dictionary(debug=True, secrets=SECRETS)["formatters"]["line"]["()"]()
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
