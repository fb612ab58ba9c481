"""What people write for times."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import NOW
from webhooks.cli.support.options import instant


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
def test_instant_reads_how_long_ago(text: str, past: timedelta) -> None:
    """A length of time is counted back from now."""
    assert instant(text, NOW) == NOW - past


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
def test_instant_reads_iso_times_as_utc(text: str, meant: datetime) -> None:
    """A time without a zone is UTC, one with a zone is converted."""
    assert instant(text, NOW) == meant


@pytest.mark.parametrize(
    "text", ["", "foo", "7", "d7", "-7d", "7x", "2026-13-01", "999999999d", "0001-01-01T00:00+09:00"]
)
def test_instant_refuses_what_is_no_time(text: str) -> None:
    """Anything else is refused in words that show what would be right."""
    with pytest.raises(ValueError, match="30m, 2h, 7d"):
        instant(text, NOW)


@given(st.text())
def test_instant_gives_a_time_or_says_why(text: str) -> None:
    """Whatever is written, it is an aware time or a ValueError."""
    with suppress(ValueError):
        assert instant(text, NOW).tzinfo is not None
