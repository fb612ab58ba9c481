"""Test what the pages say about the server itself."""

from __future__ import annotations

from datetime import timedelta

from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.inbox.server.webhook_checks import CHECKED_AT
from webhooks.services import Services
from webhooks.views.server_health import Check, server_checks, summary


def test_webhooks_need_attention_if_their_check_is_overdue_not_before_the_first(settings: Settings) -> None:
    """A server that has just started has not checked them yet; this does not count as a problem."""
    services, now = Services(settings), utc_now()
    try:
        (first,) = (check for check in server_checks(services, now) if check.name == "Webhooks in Tableau")
        assert first == Check("Webhooks in Tableau", "not checked", "unknown")
        assert summary([first]) == Check("server", "healthy", "good")
        services.inbox.state.set(CHECKED_AT, (now - timedelta(hours=9)).timestamp())
        (overdue,) = (check for check in server_checks(services, now) if check.name == "Webhooks in Tableau")
        assert (overdue.text, overdue.state) == ("last checked 9 h ago", "poor")
    finally:
        services.stop()
