"""The Postman collection: complete, up to date, and passing from top to bottom."""

from __future__ import annotations

import fcntl
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postman import build
from simulator import Running, running
from tests.acceptance.server import TOKEN, Server, serving
from tests.deploy.tools import missing, run, tool
from webhooks.event_types import EVENT_TYPES

KEYS = (
    "server api content-url username password pat-name pat-secret site-id tableau-auth-token webhook-id webhook-name "
)
KEYS += "webhook-event webhook-url server-url webhook-token ca-client ca-secret-id ca-secret-value ca-scopes"


def requests_of(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every request of a folder, in the order of a run."""
    for inner in item.get("item", []):
        yield from requests_of(inner)
    if "request" in item:
        yield item


@pytest.mark.parametrize(
    ("file", "made"), [(build.COLLECTION, build.collection), (build.ENVIRONMENT, build.environment)]
)
def test_files_are_what_the_scripts_make(file: Path, made: Any) -> None:
    """After a change: python -m postman.build"""
    assert file.read_text(encoding="utf-8") == build.written(made())


def test_environment_has_the_agreed_keys() -> None:
    """Other collections and people's notes use these names."""
    environment = json.loads(build.ENVIRONMENT.read_text(encoding="utf-8"))
    assert [value["key"] for value in environment["values"]] == KEYS.split()


def test_every_event_type_can_be_sent() -> None:
    names = [item["name"] for item in requests_of(json.loads(build.COLLECTION.read_text(encoding="utf-8")))]
    assert set(EVENT_TYPES) <= set(names)


def test_every_request_checks_its_answer() -> None:
    """A run that tests nothing always passes."""
    for item in requests_of(build.collection()):
        assert any("pm.test(" in line for event in item["event"] for line in event["script"]["exec"]), item["name"]


@pytest.fixture(scope="session")
def newman() -> list[str | Path]:
    """The command that runs collections, fetched from npm's registry when it is used for the first time."""
    command: list[str | Path] = [tool("npx"), "--yes", "--prefer-offline", "newman@6"]
    with (Path(tempfile.gettempdir()) / "newman.lock").open("a") as lock:
        # Two npx at once would install into one folder.
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        fetched = run(*command, "--version", cwd=tempfile.gettempdir(), timeout=180)
    return command if fetched.returncode == 0 else missing(f"newman: {fetched.stderr[-500:]}")


@pytest.fixture
def site() -> Iterator[Running]:
    with running() as site:
        yield site


def play(newman: list[str | Path], site: Running, server: Server, folder: Path, **values: str) -> dict[str, Any]:
    """Runs the collection; gives newman's figures. Fails with what newman says."""
    report = folder / "report.json"
    given = {"server": site.url, "server-url": server.url, **values}
    variables = [word for name, value in given.items() for word in ("--env-var", f"{name}={value}")]
    reports = (
        "--reporters",
        "cli,json",
        "--reporter-json-export",
        report,
        "--color",
        "off",
        "--timeout-request",
        "10000",
    )
    command = (*newman, "run", build.COLLECTION, "--environment", build.ENVIRONMENT, *variables, *reports)
    ended: subprocess.CompletedProcess[str] = run(*command, cwd=folder, timeout=120)
    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr
    figures: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["run"]["stats"]
    return figures


@pytest.mark.timeout(300)
def test_collection_passes_from_top_to_bottom(newman: list[str | Path], site: Running, tmp_path: Path) -> None:
    """Against a site and a server that signs in to it meanwhile; afterwards no webhook of ours is left behind."""
    with serving(tmp_path, site.environment) as server:
        figures = play(newman, site, server, tmp_path, **{"webhook-token": TOKEN})
        events = server.events()
    total = sum(1 for _ in requests_of(build.collection()))
    assert (figures["requests"]["total"], figures["requests"]["failed"]) == (total, 0)
    assert (figures["assertions"]["failed"], figures["assertions"]["total"] > total) == (0, True)
    assert {event["event_type"] for event in events} == {*EVENT_TYPES, "FlowCompleted"}
    assert not site.world.home.webhooks
    assert set(site.world.sessions.sign_ins) == {"pat:webhooks", "password:ann@acme.example", "jwt:ann@acme.example"}


@pytest.mark.timeout(300)
def test_collection_passes_with_a_personal_access_token_alone(
    newman: list[str | Path], site: Running, tmp_path: Path
) -> None:
    """Other ways to sign in are left out where their credentials are empty; so is the token of a server without one."""
    without = dict.fromkeys(("password", "ca-client", "webhook-token", "webhook-url", "api"), "")
    with serving(tmp_path, site.environment, WEBHOOK_TOKEN="") as server:
        figures = play(newman, site, server, tmp_path, **without)
    assert figures["assertions"]["failed"] == 0
    assert set(site.world.sessions.sign_ins) == {"pat:webhooks"}
