"""From a failed job in Tableau, for which no webhook exists, to the message that a person reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import Running
from tests.acceptance.simulation import cause, finished_events, slack_messages
from tests.support.server import serving, wait_for
from webhooks.inbox import Inbox
from webhooks.monitor.job_events import CURSOR

RULES = """
[[rule]]
name = "Flows"
on = "FlowRunFailed"
each = true
notify = "slack:#bi"
"""


def has_cursor(url: str) -> bool:
    """Return whether the job list was read."""
    inbox = Inbox.open(url)
    try:
        return inbox.state.get(CURSOR) is not None
    finally:
        inbox.close()


@pytest.mark.second_stage
def test_failed_flow_leads_to_one_message(site: Running, tmp_path: Path) -> None:
    """Two processes serve, and none of them has a webhook; a restart, which reads the list again, repeats nothing."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    # No WEBHOOK_URL: the job list needs none.
    more = {"RULES_FILE": str(rules), "WATCH_MINUTES": "0.1", "WEB_CONCURRENCY": "2"}
    with serving(tmp_path, site.environment, **more) as server:
        wait_for(lambda: has_cursor(server.environment["DATABASE_URL"]), seconds=40, what="the first reading")
        caused = cause(site, event_type="FlowRunFailed", reason="Disk full")
        cause(site, event_type="SubscriptionFailed")
        wait_for(lambda: slack_messages(site), seconds=90, what="the message")
    assert not site.world.home.webhooks
    with serving(tmp_path, site.environment, **more) as server:
        readings = len([call for call in site.world.calls.log if call.path.endswith("/jobs")])
        wait_for(
            lambda: len([call for call in site.world.calls.log if call.path.endswith("/jobs")]) > readings,
            seconds=60,
            what="another reading",
        )
        (event,) = wait_for(lambda: finished_events(server), what="the event")
    assert (event["event_type"], event["resource_luid"]) == ("FlowRunFailed", caused["resource_luid"])
    (message,) = slack_messages(site)
    assert message["text"].startswith(f"Flow run failed: {caused['resource_name']}")
    assert "Disk full" in str(message["blocks"])
    assert "from Tableau's job list" in str(message["blocks"])
