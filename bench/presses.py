"""Measure presses of a button in Slack: the response to Slack, and the time until the message shows the act."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from bench.server import ROOT, TOKEN, await_condition, environment, serving
from simulator import Config, Running, running
from simulator.slack.workspace import Channel

PRESSES = int(os.environ.get("PRESSES", "100"))
# Slack accepts 50 edits a minute, of which the server uses 80 %.
SECONDS_BETWEEN = 1.6
THREADS = 4
LIMIT_SECONDS = 60.0
# With more messages, Slack's limits would refuse some of the edits.
CONFIG = Config(refresh_seconds=0, slack_rate_limits=True)
RULE = """
[[rule]]
name = "Failures {number}"
on = "WorkbookRefreshFailed"
where = {{ resource_name = "Report {number:03}" }}
notify = "slack:#report-{number:03}"
"""
HANGING = """
[[rule]]
name = "New workbooks"
on = "WorkbookCreated"
notify = "owner"
"""
# Each message is changed by both, one after the other.
BUTTONS = ("Snooze 1 h", "Acknowledge")


def run() -> None:
    """Measure while the handlers have nothing to do, and while each of their threads waits for Tableau."""
    reports = -(-PRESSES // len(BUTTONS))
    rules = HANGING + "".join(RULE.format(number=number) for number in range(reports))
    print(f"\n{PRESSES} presses, one every {SECONDS_BETWEEN} s, {THREADS} threads for handlers, SQLite")
    for hanging in (False, True):
        with tempfile.TemporaryDirectory() as name, running(CONFIG) as site:
            folder = Path(name)
            threads = {"WORKER_THREADS": str(THREADS), "WEB_CONCURRENCY": "1", "WEBHOOK_TOKEN": TOKEN}
            settings = {**environment(folder), **site.environment, **threads}
            (folder / "rules.toml").write_text(rules)
            # A channel for each, so that they do not become one message about many failures.
            for number in range(reports):
                luid = f"C1{number:08}"
                site.world.slack.channels[luid] = Channel(luid, f"report-{number:03}")
            with serving("index:app", ROOT / "gunicorn.conf.py", settings) as port:
                _call(site, "settings", slack_interactions_url=f"http://127.0.0.1:{port}/slack/interactions")
                for number in range(reports):
                    _send(port, "WorkbookRefreshFailed", number)
                await_condition(lambda site=site: len(_shown(site)) == reports, LIMIT_SECONDS)  # type: ignore[misc]
                if hanging:
                    _call(site, "faults", kind="delay", target="tableau", seconds=3600)
                    for number in range(THREADS):
                        _send(port, "WorkbookCreated", number)
                _measure(site, reports, "all threads hang" if hanging else "no other work")


def _measure(site: Running, reports: int, name: str) -> None:
    responses, changes = [], []
    for number in range(PRESSES):
        report, button = number % reports, BUTTONS[number // reports]
        before = _shown(site)[report]
        began = time.monotonic()
        pressed = _call(site, "slack/press", channel=before["channel"], ts=before["ts"], button=button)
        if pressed["status"] != 200:
            raise RuntimeError(f"press {number}: {pressed}")
        responses.append(pressed["milliseconds"] / 1000)
        while _shown(site)[report]["text"] == before["text"]:
            time.sleep(0.02)
            if time.monotonic() - began > LIMIT_SECONDS:
                raise TimeoutError(f"press {number} did not change the message")
        changes.append(time.monotonic() - began)
        time.sleep(max(0.0, began + SECONDS_BETWEEN - time.monotonic()))
    print(f"{name}: response {_percentiles(responses)}; message changed {_percentiles(changes)}", flush=True)


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    shares = {share: ordered[min(len(ordered) * share // 100, len(ordered) - 1)] for share in (50, 95, 99)}
    return ", ".join(f"{share} % {value * 1000:.0f} ms" for share, value in shares.items())


def _shown(site: Running) -> dict[int, dict[str, Any]]:
    """Return the message about each report, by the report's number."""
    with site.world.lock:
        messages = [one for one in site.world.slack.messages if not one.thread_ts and "(workbook)" in one.text]
        return {
            int(one.text.partition("Report ")[2][:3]): {"channel": one.channel, "ts": one.ts, "text": one.text}
            for one in messages
        }


def _call(site: Running, path: str, **body: object) -> dict[str, Any]:
    response = requests.post(f"{site.url}/simulator/{path}", json=body, timeout=30)
    if not response.ok:
        raise RuntimeError(f"{path}: {response.text}")
    found: dict[str, Any] = response.json()
    return found


def _send(port: int, event_type: str, number: int) -> None:
    luid = f"e3417f6a-1c11-4a07-9f2e-0d3b5a6c{number:04}"
    event = {"resource": "WORKBOOK", "event_type": event_type, "resource_name": f"Report {number:03}"}
    event |= {"resource_luid": luid, "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    requests.post(f"http://127.0.0.1:{port}/webhook/{TOKEN}", json=event, timeout=10).raise_for_status()
