"""Two servers on one PostgreSQL: one is killed with -9, the other one takes over what only one of them does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bench.postgres import Server as PostgresServer
from simulator import Config, Running, running
from tests.acceptance.simulation import inject_fault, remove_faults, slack_messages
from tests.support.server import Server, serving, wait_for
from webhooks.clock import utc_now
from webhooks.event_types import DIGEST_DUE
from webhooks.inbox import Inbox, Migrate
from webhooks.inbox.server.tables import locks
from webhooks.job import JobState

pytestmark = [pytest.mark.second_stage, pytest.mark.postgres, pytest.mark.timeout(400)]

# Seconds until the other server has taken over; a test on a busy machine may take this many times as long.
TAKEOVER, BUSY = 45.0, 2
TASKS = {"task monitor", "task watch", "task slack socket mode"}
RULE = '[[rule]]\nname = "Refresh failures"\non = "*RefreshFailed"\nnotify = "slack"\n'
DIGEST = '\n[digest]\nat = "{at:%H:%M}"\nnotify = "slack"\n'


@pytest.fixture
def site() -> Iterator[Running]:
    """Run a simulated site whose Slack reports presses by Socket Mode."""
    with running(Config(refresh_seconds=0, slack_app_token="xapp-1-simulated")) as site:
        yield site


def holders(inbox: Inbox) -> dict[str, int]:
    """Return the process group that has each task now, if it still exists."""
    found = {}
    for row in inbox.store.rows(select(locks).where(locks.c.key.in_(TASKS), locks.c.until > inbox.store.now_sql())):
        try:
            found[row["key"]] = os.getpgid(int(row["owner"].split(":")[1]))
        except ProcessLookupError:
            continue
    return found


def failed_digest(inbox: Inbox) -> bool:
    """Return whether a digest was tried and not sent."""
    jobs = [job for event in inbox.events.list() if event.event.event_type == DIGEST_DUE for job in event.jobs]
    return any(job.job.attempts and job.job.state is JobState.READY for job in jobs)


def test_server_takes_over_from_a_killed_one(
    tmp_path: Path, site: Running, register: Callable[[Server], None], postgres_server: PostgresServer
) -> None:
    """The watch, the checks and the connection to Slack are taken over in time, and the digest is sent once."""
    rules, second = tmp_path / "rules.toml", tmp_path / "second"
    rules.write_text(RULE)
    second.mkdir()
    shared = {"DATABASE_URL": str(postgres_server.url()), "RULES_FILE": str(rules), "WORKER_THREADS": "2"}
    environment = site.environment | {"SLACK_SIGNING_SECRET": ""} | shared
    with serving(tmp_path, environment, WEB_CONCURRENCY="1") as first:
        register(first)
        inbox = Inbox.open(shared["DATABASE_URL"], migrate=Migrate.NEVER)
        try:
            wait_for(lambda: set(holders(inbox)) == TASKS, what="the first server to have all tasks")
            with serving(second, environment, WEB_CONCURRENCY="1") as other:
                assert set(holders(inbox).values()) == {first.process.pid}
                # Both know the digest, and whichever tries first cannot send it.
                inject_fault(site, kind="html", target="slack", path="chat.postMessage")
                rules.write_text(RULE + DIGEST.format(at=utc_now() - timedelta(minutes=1)))
                wait_for(lambda: failed_digest(inbox), what="a digest that could not be sent")
                first.kill()
                killed = time.monotonic()
                remove_faults(site)
                wait_for(lambda: holders(inbox) == dict.fromkeys(TASKS, other.process.pid), seconds=TAKEOVER * BUSY)
                print(f"taken over after {time.monotonic() - killed:.1f} s")
                wait_for(lambda: digests(site), seconds=120, what="the digest")
                wait_for(lambda: not inbox.counts()["running"] + inbox.counts()["ready"], what="the end of the jobs")
                assert len(digests(site)) == 1
                assert len([one for one in inbox.events.list() if one.event.event_type == DIGEST_DUE]) == 1
                assert site.world.slack.sockets.count == 1
        finally:
            inbox.close()


def digests(site: Running) -> list[str]:
    """Return the digests that Slack shows."""
    return [one["text"] for one in slack_messages(site) if "Digest" in one["text"]]
