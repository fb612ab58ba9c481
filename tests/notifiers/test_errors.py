"""The times and words of errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifiers import NotifierError
from notifiers.errors import cause, come_back, demand, redacted

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
def test_come_back_reads_every_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds or a date, never in the past, at most a day ahead; nonsense is no answer."""
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert come_back(header, NOW) == expected


def test_demand_names_every_missing_variable() -> None:
    """One error says all that is to be set; an empty value is missing."""
    with pytest.raises(NotifierError, match="Twilio is not set up: A_SID, A_TOKEN are not set") as caught:
        demand("Twilio", A_SID=None, A_TOKEN="", A_FROM="x")
    assert caught.value.permanent
    demand("Twilio", A_SID="x")


def test_redacted_masks_secrets_and_not_letters() -> None:
    """Every occurrence is masked; a secret that is unset or a mere letter does not garble the text."""
    assert redacted("token xoxb-1 and xoxb-1", ["xoxb-1", None, "", "a"]) == "token *** and ***"


def chained() -> None:
    """Fail because of something else."""
    try:
        Path("/xoxb-1/no-such-file").read_bytes()
    except OSError as error:
        raise ValueError("outer") from error


def test_cause_is_dropped_if_its_traceback_shows_a_secret() -> None:
    """Chained errors print too; one that shows a secret is not chained."""
    with pytest.raises(ValueError, match="outer") as caught:
        chained()
    assert cause(caught.value, ["xoxb-1"]) is None
    assert cause(caught.value, ["xoxb-2"]) is caught.value
