"""Test the times that are accepted by `--since`."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import NOW
from webhooks.cli.support.options import past_time


@pytest.mark.parametrize(
    ("text", "past"),
    [
        ("30s", timedelta(seconds=30)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("1d12h", timedelta(hours=36)),
        (" 7D ", timedelta(days=7)),
    ],
)
def test_a_duration_is_counted_back_from_now(text: str, past: timedelta) -> None:
    """A duration means a time before now."""
    assert past_time(text, NOW) == NOW - past


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T09:30", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31 09:30:15", datetime(2026, 1, 31, 9, 30, 15, tzinfo=UTC)),
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00+02:00", datetime(2026, 1, 31, 7, 30, tzinfo=UTC)),
    ],
)
def test_an_iso_time_is_utc(text: str, meant: datetime) -> None:
    """A time without a zone is UTC, and one with a zone is converted."""
    assert past_time(text, NOW) == meant


@pytest.mark.parametrize(
    "text", ["", "foo", "7", "d7", "-7d", "7x", "2026-13-01", "999999999d", "0001-01-01T00:00+09:00"]
)
def test_an_invalid_time_is_refused(text: str) -> None:
    """Any other text is refused with examples of valid times."""
    with pytest.raises(ValueError, match="30m, 2h, 7d"):
        past_time(text, NOW)


@given(st.text())
def test_any_text_is_a_time_or_an_error(text: str) -> None:
    """Every text leads to an aware time or a ValueError."""
    with suppress(ValueError):
        assert past_time(text, NOW).tzinfo is not None
