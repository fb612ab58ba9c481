"""The Postman collection is complete, up to date, and passes from top to bottom."""

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
from tests.deploy.tools import missing, run, tool
from tests.support.server import TOKEN, Server, serving
from webhooks.event_types import EVENT_TYPES

KEYS = (
    "server api content-url username password pat-name pat-secret site-id tableau-auth-token webhook-id webhook-name "
    "webhook-event webhook-url server-url webhook-token ca-client ca-secret-id ca-secret-value ca-scopes"
)


def requests_of(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return every request of a folder, in the order of a run."""
    for inner in item.get("item", []):
        yield from requests_of(inner)
    if "request" in item:
        yield item


@pytest.mark.parametrize(
    ("file", "made"), [(build.COLLECTION, build.collection), (build.ENVIRONMENT, build.environment)]
)
def test_files_are_up_to_date(file: Path, made: Any) -> None:
    """After a change of the scripts, run `python -m postman.build`."""
    assert file.read_text(encoding="utf-8") == build.to_json(made())


def test_environment_has_the_agreed_keys() -> None:
    """Other collections and documents use these names."""
    environment = json.loads(build.ENVIRONMENT.read_text(encoding="utf-8"))
    assert [value["key"] for value in environment["values"]] == KEYS.split()


def test_every_event_type_can_be_sent() -> None:
    """The collection has a request for each documented event type."""
    names = [item["name"] for item in requests_of(json.loads(build.COLLECTION.read_text(encoding="utf-8")))]
    assert set(EVENT_TYPES) <= set(names)


def test_every_request_tests_its_response() -> None:
    """A run without tests always passes."""
    for item in requests_of(build.collection()):
        assert any("pm.test(" in line for event in item["event"] for line in event["script"]["exec"]), item["name"]


@pytest.fixture(scope="session")
def newman() -> list[str | Path]:
    """Return the command that runs collections, which npx downloads on first use."""
    command: list[str | Path] = [tool("npx"), "--yes", "--prefer-offline", "newman@6"]
    with (Path(tempfile.gettempdir()) / "newman.lock").open("a") as lock:
        # Two concurrent npx would install into one folder.
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        downloaded = run(*command, "--version", cwd=tempfile.gettempdir(), timeout=180)
    return command if downloaded.returncode == 0 else missing(f"newman: {downloaded.stderr[-500:]}")


@pytest.fixture
def site() -> Iterator[Running]:
    with running() as site:
        yield site


def run_collection(
    newman: list[str | Path], site: Running, server: Server, folder: Path, **values: str
) -> dict[str, Any]:
    """Run the collection and return newman's figures; a failure shows newman's output."""
    report = folder / "report.json"
    given = {"server": site.url, "server-url": server.url, **values}
    variables = [word for name, value in given.items() for word in ("--env-var", f"{name}={value}")]
    reporters = ("--reporters", "cli,json", "--reporter-json-export", report, "--color", "off")
    options = (*reporters, "--timeout-request", "10000")
    command = (*newman, "run", build.COLLECTION, "--environment", build.ENVIRONMENT, *variables, *options)
    process: subprocess.CompletedProcess[str] = run(*command, cwd=folder, timeout=120)
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr
    figures: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["run"]["stats"]
    return figures


@pytest.mark.timeout(300)
def test_collection_passes_from_top_to_bottom(newman: list[str | Path], site: Running, tmp_path: Path) -> None:
    """It passes while the server signs in to the same site, and leaves no webhook behind."""
    with serving(tmp_path, site.environment) as server:
        figures = run_collection(newman, site, server, tmp_path, **{"webhook-token": TOKEN})
        events = server.events()
    total = sum(1 for _ in requests_of(build.collection()))
    assert (figures["requests"]["total"], figures["requests"]["failed"]) == (total, 0)
    assert (figures["assertions"]["failed"], figures["assertions"]["total"] > total) == (0, True)
    assert {event["event_type"] for event in events} == {*EVENT_TYPES, "FlowCompleted"}
    assert not site.world.home.webhooks
    assert set(site.world.sessions.sign_ins) == {"pat:webhooks", "password:ann@acme.example", "jwt:ann@acme.example"}


@pytest.mark.timeout(300)
def test_collection_passes_with_a_personal_access_token_only(
    newman: list[str | Path], site: Running, tmp_path: Path
) -> None:
    """Sign-ins without credentials are skipped, and so is the token of a server that has none."""
    without = dict.fromkeys(("password", "ca-client", "webhook-token", "webhook-url", "api"), "")
    with serving(tmp_path, site.environment, WEBHOOK_TOKEN="") as server:
        figures = run_collection(newman, site, server, tmp_path, **without)
    assert figures["assertions"]["failed"] == 0
    assert set(site.world.sessions.sign_ins) == {"pat:webhooks"}
