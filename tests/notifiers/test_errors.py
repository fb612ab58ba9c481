"""Times and texts of errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifiers.errors import parse_retry_after, rate_limited_until, redact, safe_cause

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30),
        ("0.5", 0.5),
        (" 7 ", 7),
        ("-5", 0),
        ("1e9", 86400),
        ("inf", 86400),
        ("-inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
    ],
)
def test_parse_retry_after_reads_every_form(header: str | None, seconds: float | None) -> None:
    """It is seconds or a date, never in the past and at most a day ahead; any other value is None."""
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert parse_retry_after(header, NOW) == expected


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), (None, 60), ("soon", 60)])
def test_rate_limit_always_has_an_end(header: str | None, seconds: int) -> None:
    """Without a usable Retry-After a rate limit is taken to end in a minute."""
    assert rate_limited_until(header, NOW) == NOW + timedelta(seconds=seconds)


def test_redact_masks_secrets_and_not_letters() -> None:
    """Every occurrence is masked; a secret that is unset or only a letter does not garble the text."""
    assert redact("token xoxb-1 and xoxb-1", ["xoxb-1", None, "", "a"]) == "token *** and ***"


def chained() -> None:
    """Raise an error with a cause."""
    try:
        Path("/xoxb-1/no-such-file").read_bytes()
    except OSError as error:
        raise ValueError("outer") from error


def test_cause_is_dropped_if_its_traceback_shows_a_secret() -> None:
    """A chained error is printed too, so one that shows a secret is not chained."""
    with pytest.raises(ValueError, match="outer") as caught:
        chained()
    assert safe_cause(caught.value, ["xoxb-1"]) is None
    assert safe_cause(caught.value, ["xoxb-2"]) is caught.value
