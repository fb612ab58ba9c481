"""Many refreshes that fail at once, on real servers: one message per incident, and every recovery is visible."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.postgres import Server as Postgres
from bench.torture.shown import Shown, judge_messages
from simulator import Config, Running, running
from tests.acceptance.simulation import finished_events, slack_messages
from tests.support.server import Server, serving, wait_for
from webhooks.cli.trigger.sample import customize, sample
from webhooks.cli.trigger.scenario import FAILURES, RECOVERIES, bad_monday
from webhooks.clock import utc_now
from webhooks.inbox import Inbox
from webhooks.incidents import Act

pytestmark = [pytest.mark.second_stage, pytest.mark.timeout(240)]

DUPLICATES = 300
# The promise for all messages, and the wait for the end of all jobs.
SECONDS = 60.0
PATIENCE = 120.0


@pytest.fixture
def site() -> Iterator[Running]:
    """Run a Slack that limits the rate of messages."""
    with running(Config(refresh_seconds=0, slack_rate_limits=True)) as site:
        yield site


def monday() -> tuple[list[dict[str, Any]], set[str], set[str]]:
    """Return the events of a bad Monday in their order, and the names of what fails and of what recovers."""
    now, scenes = utc_now(), bad_monday()
    named = [(scene, f"{scene.name} {scene.event_type.partition('Refresh')[0]}") for scene in scenes]
    events = [customize(sample(one.event_type), at=now - one.before, name=name, changes={}) for one, name in named]
    failed = {name for scene, name in named if scene.event_type.endswith("Failed")}
    last = {name: scene.event_type for scene, name in named}
    recovered = {name for name in failed if last[name].endswith("Succeeded")}
    assert (len(failed), len(recovered)) == (FAILURES, RECOVERIES)
    return events, failed, recovered


def post_all(servers: list[Server], events: list[dict[str, Any]]) -> None:
    """Send the events to all servers in turn, in 16 threads; each is acknowledged."""

    def post(numbered: tuple[int, dict[str, Any]]) -> int:
        number, event = numbered
        return requests.post(servers[number % len(servers)].hook, json=event, timeout=30).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(post, enumerate(events))) == {200}


def is_success(event: dict[str, Any]) -> bool:
    return str(event["event_type"]).endswith("Succeeded")


def is_complete(shown: Shown, recovered: set[str]) -> bool:
    return not shown.lost and shown.recovered >= recovered


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_bad_monday(site: Running, tmp_path: Path, request: pytest.FixtureRequest, database: str) -> None:
    """200 refreshes, 17 failures, 5 recoveries and 300 duplicates: one message each, and no 429.

    With SQLite there are two processes, with PostgreSQL two servers. The recoveries come when the failures are shown:
    a problem that is over before its message is sent has none.
    """
    more = {"WEB_CONCURRENCY": "2"}
    folders = [tmp_path / "one"]
    if database == "postgres":
        server: Postgres = request.getfixturevalue("postgres_server")
        more = {"WEB_CONCURRENCY": "1", "DATABASE_URL": server.url()}
        folders.append(tmp_path / "two")
    events, failed, recovered = monday()
    numbers = random.Random(5)
    sent = [*events, *numbers.choices(events, k=DUPLICATES)]
    # Events cross on their way: each is up to some places later than it was sent.
    sent = [event for _, event in sorted(enumerate(sent), key=lambda pair: pair[0] + numbers.uniform(0, 40))]
    with ExitStack() as stack:
        servers = []
        for folder in folders:
            folder.mkdir()
            servers.append(stack.enter_context(serving(folder, site.environment, **more)))
        late = [event for event in sent if event["resource_name"] in recovered and is_success(event)]
        post_all(servers, [event for event in sent if event not in late])
        wait_for(
            lambda: not judge_messages(slack_messages(site), failed).lost,
            seconds=SECONDS,
            what="a message about every failure",
        )
        post_all(servers, late)
        wait_for(
            lambda: is_complete(judge_messages(slack_messages(site), failed), recovered),
            seconds=SECONDS,
            what="a message about every failure and every recovery",
        )
        wait_for(lambda: finished_events(servers[0]), seconds=PATIENCE, what="the end of all jobs")
        stored = servers[0].events()
    assert not [each for each in servers if "deadlock" in each.log.read_text()]
    shown = judge_messages(slack_messages(site), failed)
    assert (shown.lost, shown.doubled, shown.repeated) == (frozenset(), frozenset(), ())
    assert shown.recovered == recovered
    assert len(stored) == len(events)
    assert sum(event["duplicates"] for event in stored) == DUPLICATES
    assert not [job for event in stored for job in event["jobs"] if job["state"] == "dead"]
    calls = requests.get(f"{site.url}/simulator/calls?target=slack&limit=100000", timeout=5).json()
    assert [call for call in calls["calls"] if call["status"] == 429] == []


@pytest.mark.postgres
def test_failures_acts_and_recoveries_at_once(site: Running, tmp_path: Path, postgres_server: Postgres) -> None:
    """Two servers on one database show failures, acts and recoveries of the same moment once, and the last state."""
    # A third failure of the same minute would begin a shared message.
    url, names = postgres_server.url(), ("Sales", "Cash Flow")
    now = utc_now()

    def refresh(outcome: str, name: str, minutes: float) -> dict[str, Any]:
        at = now - timedelta(hours=1) + timedelta(minutes=minutes)
        return customize(sample(f"WorkbookRefresh{outcome}"), at=at, name=name, changes={})

    with ExitStack() as stack:
        servers = []
        for folder in (tmp_path / "one", tmp_path / "two"):
            folder.mkdir()
            more = {"WEB_CONCURRENCY": "1", "DATABASE_URL": url}
            servers.append(stack.enter_context(serving(folder, site.environment, **more)))
        inboxes = [stack.enter_context(closing(Inbox.open(url))) for _ in servers]
        first = [refresh("Failed", name, 0) for name in names]
        post_all(servers, first)
        wait_for(lambda: not judge_messages(slack_messages(site), names).lost, seconds=PATIENCE, what="the messages")
        ids = [record.id for record in inboxes[0].incidents.list()]

        def act(numbered: tuple[int, int]) -> None:
            number, incident_id = numbered
            inboxes[number % 2].incidents.act(incident_id, Act("", "acknowledge", "", utc_now(), f"Person {number}"))

        further = [refresh("Failed", name, minutes) for minutes in (10, 20, 30) for name in names]
        with ThreadPoolExecutor(16) as pool:
            acting = pool.map(act, enumerate(ids * 2))
            post_all(servers, [*further, *further, *first])
            list(acting)
        post_all(servers, [refresh("Succeeded", name, 50) for name in names] * 2)
        wait_for(lambda: finished_events(servers[0]), seconds=PATIENCE, what="the end of all jobs")
    messages = slack_messages(site)
    shown = judge_messages(messages, names)
    assert (shown.lost, shown.doubled, shown.repeated) == (frozenset(), frozenset(), ())
    assert shown.recovered == set(names)
    top_level = [one["text"] for one in messages if not one["thread_ts"]]
    assert all("Failures: 4 in a row" in text for text in top_level)
    replies = Counter(one["text"] for one in messages if one["thread_ts"])
    assert set(replies.values()) == {1}
    assert sum("Recovered" in text for text in replies) == len(names)
