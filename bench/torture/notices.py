"""The scene in which processes die with -9 between Slack's acceptance of a message and our record of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.postgres import Server
from bench.server import ROOT, TOKEN, await_port, environment, free_port
from bench.torture.shown import Shown, judge_messages
from bench.torture.verdict import Verdict
from simulator import Config, running
from simulator.config import SLACK_SCOPES
from simulator.slack.workspace import Channel, Workspace
from webhooks.inbox import Inbox
from webhooks.job import JobState

SCENE = "killed-after-slack-accepted"
# Incidents: each is one death, or two if its recovery is a reply.
COUNT = 30
# A shared message lists about this many incidents; more are run in parts, each with an inbox of its own.
MOST = 100
# All incidents share a message in #bi, and each has one of its own in a channel of its own.
RULES = """
[[rule]]
name = "All"
on = "*RefreshFailed"
notify = "slack:#bi"
"""
OWN_RULE = """
[[rule]]
name = "{name}"
on = "*RefreshFailed"
where = {{ name = "{name}" }}
notify = "slack:#{channel}"
"""
BEGIN = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
# Seconds that one death may take: a new process, the end of the lease, the lookup.
SECONDS_PER_DEATH = 6.0
NO_HISTORY = ",".join(scope for scope in SLACK_SCOPES.split(",") if "history" not in scope)


def run_notices(count: int, *, server: Server | None = None, history: bool = True) -> Verdict:
    """Let `count` refreshes fail and every second one recover, while processes die, and judge what Slack shows.

    `history`: the Slack app has the scopes with which a message is looked up.
    """
    parts = [min(MOST, count - start) for start in range(0, count, MOST)]
    verdicts = [asdict(_run_part(part, server, history=history)) for part in parts]
    return Verdict(**{name: sum((one[name] for one in verdicts), type(value)()) for name, value in verdicts[0].items()})


def _run_part(count: int, server: Server | None, *, history: bool) -> Verdict:
    scopes = SLACK_SCOPES if history else NO_HISTORY
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        simulated = stack.enter_context(running(Config(refresh_seconds=0, slack_scopes=scopes)))
        slack = simulated.world.slack
        url = server.url() if server else f"sqlite:///{folder / 'inbox.sqlite3'}"
        (kills := folder / "kills").touch()
        base = environment(folder, **simulated.environment)
        names = [f"Workbook-{number:03}-" for number in range(count)]
        slack.channels |= {f"C{number:08}": Channel(f"C{number:08}", f"own-{number}") for number in range(count)}
        own = (OWN_RULE.format(name=name, channel=f"own-{number}") for number, name in enumerate(names))
        (folder / "rules.toml").write_text("".join([RULES, *own]))
        port = free_port()
        more = {"DATABASE_URL": url, "LEASE_SECONDS": "2", "TORTURE_LOG": str(kills), "PORT": str(port)}
        stack.enter_context(_serving({**os.environ, **base, **more, "WORKER_THREADS": "1", "WEB_CONCURRENCY": "4"}))
        for number, name in enumerate(names):
            _send(port, "WorkbookRefreshFailed", number, name)
        with closing(Inbox.open(url)) as inbox:
            _drain(inbox, 60 + count * SECONDS_PER_DEATH)
            for number in range(1, count, 2):
                _send(port, "WorkbookRefreshSucceeded", number, names[number])
            _drain(inbox, 60 + count * SECONDS_PER_DEATH)
            dead = sum(job.job.state is JobState.DEAD for one in inbox.events.list(limit=10_000) for job in one.jobs)
        with simulated.world.lock:
            shown, group = _judge(slack, names)
        deaths = len(kills.read_text().splitlines())
    repeated = sum(len(place.doubled) + len(place.repeated) for place in (shown, group))
    return Verdict(
        acknowledged=len(names),
        lost=len([*shown.lost, *group.lost, *(set(names[1::2]) - shown.recovered)]),
        stored_twice=0,
        dead=dead,
        repeated=repeated,
        unexplained=repeated if history else 0,
        overlapping=0,
        ended_twice=0,
        refused=0,
        kills=deaths,
    )


def _judge(slack: Workspace, names: Sequence[str]) -> tuple[Shown, Shown]:
    """Compare the messages of the channels that each incident has alone, and of the shared one, with the names."""
    shared = {channel.id for channel in slack.channels.values() if channel.name.lstrip("#") == "bi"}
    own_messages: list[dict[str, Any]] = []
    shared_messages: list[dict[str, Any]] = []
    for one in slack.messages:
        # The text of a long table is cut; its blocks have all rows.
        table = f"\n{json.dumps(one.blocks)}" if one.channel in shared else ""
        values = {"text": one.text + table, "thread_ts": one.thread_ts, "metadata": one.metadata}
        (shared_messages if table else own_messages).append(values)
    return judge_messages(own_messages, names), judge_messages(shared_messages, names)


@contextmanager
def _serving(variables: dict[str, str]) -> Iterator[None]:
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        str(ROOT / "gunicorn.conf.py"),
        "bench.torture.serve_notices:app",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            await_port(int(variables["PORT"]), process)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _send(port: int, event_type: str, number: int, name: str) -> None:
    """Send an event until it is acknowledged: processes die meanwhile."""
    succeeded = timedelta(minutes=30) if event_type.endswith("Succeeded") else timedelta()
    event = {
        "resource": "WORKBOOK",
        "event_type": event_type,
        "resource_name": name,
        "site_luid": "6b7a4a9c-1111-4222-8333-444455556666",
        "resource_luid": f"{number:08x}-0000-4000-8000-000000000000",
        "created_at": f"{BEGIN + timedelta(seconds=number) + succeeded:%Y-%m-%dT%H:%M:%SZ}",
    }
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection,
        ):
            connection.request("POST", f"/webhook/{TOKEN}", json.dumps(event))
            with connection.getresponse() as response:
                if response.status == 200:
                    return
        time.sleep(0.1)
    raise RuntimeError("an event was not acknowledged within a minute")


def _drain(inbox: Inbox, seconds: float) -> None:
    """Wait until no event and no job is left. Raises RuntimeError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        figures = inbox.counts()
        if not figures["unplanned"] + figures["ready"] + figures["running"]:
            return
        time.sleep(0.2)
    raise RuntimeError(f"jobs were left after {seconds:.0f} s: {inbox.counts()}")
