"""Sessions in the documentation: each command is run on an inbox like the page's, and prints what the page shows.

Times, durations, numbers and the width of columns may differ.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests.docs import worlds
from tests.docs.pages import ROOT, Block, blocks
from tests.docs.worlds import World
from tests.support.flask_commands import as_flask_command
from webhooks.incidents.incident import IncidentKind

CHANGING = (
    # The source of a rules file
    (r"[\w.-]+:/\S+( \(activate\))?", "SOURCE"),
    # 02:14 · yesterday 23:10 · 24 Nov 09:00 · 2026-11-26 09:00 UTC
    (r"((yesterday|tomorrow|\d{1,2} [A-Z][a-z]{2}|\d{4}-\d\d-\d\d) )?\d\d:\d\d(:\d\d)?( UTC| [+-]\d\d)?", "TIME"),
    (r"\d+(\.\d+)? (d|h|min|s|ms)\b( \d+ (h|min|s)\b)?", "DURATION"),
    (r"\d+", "N"),
    (r"[─\s]+", " "),
)


SESSIONS: dict[str, Callable[[World], dict[str, int]]] = {
    "flask status": worlds.morning,
    "flask incidents list --since 1d": worlds.morning,
    "flask incidents show 14": worlds.shown,
    'flask incidents ack 14 15 99 --for 2h --note "waiting for the DBA"': worlds.two_open,
    "flask silences list": worlds.silenced,
    "flask events list --since 1d": worlds.received,
    "flask events explain 41": worlds.received,
    "flask events explain 2": worlds.first_events,
    "flask rules preview Published": worlds.nothing,
    "flask rules history": worlds.activated,
    "flask rules backtest new-rules.toml --since 7d": worlds.compared,
    "flask audit list --limit 2": worlds.acted,
}


def sessions() -> list[tuple[Block, str, str]]:
    """Return each command with what is shown below it."""
    found = []
    for block in blocks("console"):
        if block.elsewhere is None:
            parts = [part.partition("\n") for part in re.split(r"(?m)^\$ ", block.text) if part]
            found += [(block, command, output) for command, _, output in parts]
    return found


def skeleton(text: str) -> str:
    """Return an output without what changes from run to run."""
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    return text.strip()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("LOGNAME", "ben")
    monkeypatch.chdir(tmp_path)
    with as_flask_command(monkeypatch):
        made = World(tmp_path)
        yield made
        made.services.stop()


@pytest.mark.parametrize(("block", "command", "output"), sessions(), ids=lambda one: getattr(one, "title", ""))
def test_session_prints_what_is_shown(block: Block, command: str, output: str, world: World) -> None:
    """The output has the same words as the page, in the same order."""
    numbers = SESSIONS[command.removeprefix(".venv/bin/")](world)
    words = [str(numbers.get(word, word)) for word in shlex.split(command)[1:]]
    ended = world.flask(*words)
    assert ended.exit_code in {0, 1}, ended.output
    # A line with … is where the page leaves some out.
    expected = re.escape(skeleton(output)).replace(r"\ …", r".*").replace("…", ".*")
    assert re.fullmatch(expected, skeleton(ended.output)), f"{block.title}\n{ended.output}"


def test_fields_of_json_are_those_of_the_page(world: World) -> None:
    """The tables of docs/cli.md name every field of events, jobs, attempts, incidents and acts, and no other."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    def rows(title: str) -> dict[str, str]:
        table = page.partition(f"### {title} as JSON\n")[2].partition("\n#")[0]
        return dict(re.findall(r"(?m)^\| (.+?) \| (.+) \|$", table))

    def named(cell: str) -> set[str]:
        return set(re.findall(r"`(\w+)`", cell))

    numbers = worlds.received(world)
    event = json.loads(world.flask("events", "explain", numbers["41"], "--json").stdout)
    incident = json.loads(world.flask("incidents", "show", worlds.shown(world)["14"], "--json").stdout)
    events, incidents = rows("An event"), rows("An incident")
    fields = {name for cell in events if "[]" not in cell for name in named(cell)}
    assert fields == event.keys() | {"defect"}
    assert set(event["jobs"][0]) - {"attempts_made"} <= named(events["`jobs`"])
    assert set(event["jobs"][0]["attempts_made"][0]) <= named(events["`jobs[].attempts_made`"])
    assert set(event["explanation"][0]) == named(events["`explanation`"]) - {"explain"}
    assert {name for cell in incidents for name in named(cell)} == incident.keys() - {"timeline", "unsent"}
    assert set(get_args(IncidentKind)) == named(incidents["`kind`"])
    for field in ("notices", "acts"):
        assert set(incident[field][0]) <= named(incidents[f"`{field}`"])
