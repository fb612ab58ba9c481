"""Test an outage of Slack with whole servers, one process of which is killed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from bench.burst import await_messages, failed_refreshes, simulated_server
from bench.sender import send
from simulator import Config, running
from tests.support import server
from tests.support.databases import url
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.tables import jobs, outage_jobs
from webhooks.job import JobState

__all__ = ["url"]

FAILURES = 24
wait_for = partial(server.wait_for, seconds=120)


def test_all_messages_are_sent_after_an_outage_in_which_a_process_is_killed(
    url: str, opened: Callable[..., Inbox], tmp_path: Path
) -> None:
    """Each message is sent, none is dead-lettered, and jobs that would have waited longer are woken."""
    variables = {"DATABASE_URL": url, "WEB_CONCURRENCY": "2", "LEASE_SECONDS": "2"}
    with running(Config(refresh_seconds=0)) as site:
        events = failed_refreshes(site, FAILURES)
        with simulated_server(tmp_path, site, variables) as (port, master):
            box = opened(url)
            site.world.faults.add({"kind": "error", "target": "slack", "code": "service_unavailable"})
            send(port, events)
            # All have failed twice, so the next wait is 30 s.
            failed = select(func.count()).where(outage_jobs.c.job_id == jobs.c.id, jobs.c.attempts >= 3)
            wait_for(lambda: box.store.scalar(failed) == FAILURES)
            (outage,) = box.outages.list()
            assert outage.service == "slack"
            assert not site.world.slack.messages
            master.children()[0].kill()
            wait_for(lambda: len(master.children()) == 2)
            site.world.faults.remove()
            await_messages(site, FAILURES)
            sent = {message.channel for message in site.world.slack.messages}
            done = select(func.count()).where(jobs.c.state == JobState.DONE, jobs.c.rule.is_not(None))
            wait_for(lambda: box.store.scalar(done) == FAILURES)
            assert len(sent) == FAILURES
            assert box.store.scalar(select(func.count()).where(jobs.c.state == JobState.DEAD)) == 0
            assert box.store.scalar(select(func.count()).where(outage_jobs.c.wakes > 0)) > 0
            wait_for(lambda: not box.outages.list())
