"""Test the words of the status: refreshes since midnight, the health of the webhooks, local times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from webhooks.inbox.server.webhook_checks import WebhookCheckResult
from webhooks.views import formats
from webhooks.views.status import refreshes
from webhooks.views.webhook_health import webhook_health

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
INTERVAL = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ({}, "no refreshes since midnight"),
        ({"running": 2}, "no refreshes since midnight, 2 running"),
        ({"succeeded": 1}, "1 of 1 refresh since midnight succeeded"),
        ({"succeeded": 207, "failed": 7}, "207 of 214 refreshes since midnight succeeded (7 failed)"),
        (
            {"succeeded": 5, "failed": 2, "cancelled": 1, "unknown": 1, "running": 3},
            "5 of 9 refreshes since midnight succeeded (2 failed, 1 cancelled, 1 unknown), 3 running",
        ),
    ],
)
def test_refreshes_by_outcome(outcomes: Mapping[str, int], text: str) -> None:
    """Those that still run are not counted among those that ended."""
    assert refreshes(outcomes) == text


def check(minutes: float | None = 1, *differences: str, error: str = "") -> WebhookCheckResult:
    """Return the result of a check that was made some minutes ago."""
    return WebhookCheckResult(None if minutes is None else NOW - timedelta(minutes=minutes), differences, error)


@pytest.mark.parametrize(
    ("checks", "state", "text"),
    [
        ([check()], "healthy", "webhooks healthy"),
        ([check(45)], "healthy", "webhooks healthy"),
        ([check(46)], "unknown", "webhooks last checked 46 min ago"),
        ([check(1), check(180)], "unknown", "webhooks last checked 3 h ago"),
        ([check(None)], "unknown", "webhooks not checked"),
        ([check(), check(None)], "unknown", "webhooks not checked"),
        ([], "unknown", "webhooks not checked"),
        ([check(1, "a")], "unhealthy", "1 webhook needs attention"),
        ([check(1, "a"), check(1, "b")], "unhealthy", "2 webhooks need attention"),
        ([check(error="no permission"), check(1, "b")], "unhealthy", "webhooks cannot be checked"),
    ],
)
def test_health_of_webhooks(checks: list[WebhookCheckResult], state: str, text: str) -> None:
    """A difference on one site means unhealthy; healthy means that all sites were checked lately."""
    health = webhook_health(checks, INTERVAL, NOW)
    assert (health.state, health.text) == (state, text)


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0, "13:00"),
        (-12.5, "00:30"),
        (-13.5, "yesterday 23:30"),
        (12, "tomorrow 01:00"),
        (-48, "29 Jan 13:00"),
        (-24 * 40, "22 Dec 2025 13:00"),
    ],
)
def test_local_times(hours: float, text: str) -> None:
    """Times are on the clocks of the zone; near days have names, and other years are shown."""
    assert formats.local_time(NOW + timedelta(hours=hours), NOW, BERLIN) == text


def test_day_begins_at_local_midnight() -> None:
    """Midnight is that of the zone, also on the day when the clock changes."""
    assert formats.midnight(NOW, BERLIN) == datetime(2026, 1, 30, 23, tzinfo=UTC)
    assert formats.midnight(datetime(2026, 3, 29, 12, tzinfo=UTC), BERLIN) == datetime(2026, 3, 28, 23, tzinfo=UTC)
