"""Times: always aware, in UTC; texts that give none are None."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.clock import from_timestamp, parse_time, utc_now

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T14:00+02:00", "2026-01-31 12:00:00.000Z"]
)
def test_time_is_aware_and_in_utc(text: str) -> None:
    """Another zone is converted, a missing one is UTC."""
    parsed = parse_time(text)
    assert parsed == NOON
    assert parsed.utcoffset() == timedelta(0)


@pytest.mark.parametrize("value", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", None, 7, b"2026-01-31"])
def test_anything_else_is_no_time(value: object) -> None:
    """Payloads may hold any value there, also a time that UTC cannot express."""
    assert parse_time(value) is None


def test_now_and_timestamps_are_in_utc() -> None:
    """Both are aware, so they can be compared with all others."""
    assert utc_now().utcoffset() == from_timestamp(0.0).utcoffset() == timedelta(0)
    assert from_timestamp(NOON.timestamp()) == NOON
