"""`flask webhooks test`: both places where a test can fail, and the advice for each."""

from __future__ import annotations

import pytest

from simulator import Running
from tests.cli.conftest import objects
from tests.cli.webhooks.test_sync import add
from tests.support.simulated_site import DESIRED, RunFlask, inject_fault
from webhooks.cli.webhooks.test import TUNNEL_ADVICE, CallResult


def test_test_shows_the_receivers_response(flask: RunFlask, server: str) -> None:
    """Without a name all webhooks of this server are tested; both statuses are shown."""
    flask("webhooks", "sync", "--url", server)
    results = objects(flask("webhooks", "test", "--json").stdout)
    assert {(result["call_status"], result["status"], result["ok"]) for result in results} == {(200, 200, True)}
    assert len(results) == len(DESIRED)
    one = flask("webhooks", "test", "tableau-webhooks WorkbookCreated")
    assert one.exit_code == 0
    assert 'the receiver responded 200 {"status": "test"}' in one.stdout


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9/webhook", ("408", "cannot reach the URL within seconds")),
        ("wrong-token", ("401", "WEBHOOK_TOKEN")),
    ],
)
def test_test_explains_a_failed_test(
    flask: RunFlask, site: Running, server: str, url: str, expected: tuple[str, str]
) -> None:
    """408 is Tableau's own status; 401 is the receiver's."""
    target = url if url.startswith("http") else f"{server}/webhook/{url}"
    add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", target)
    result = flask("webhooks", "test")
    status, advice = expected
    assert (result.exit_code, status in result.stdout, advice in result.stderr) == (1, True, True)


def test_test_gives_the_same_advice_once(flask: RunFlask, site: Running) -> None:
    """Each webhook has a result; the advice that they share appears once."""
    for event_type in ("WorkbookCreated", "WorkbookUpdated", "UserDeleted"):
        add(site, f"tableau-webhooks {event_type}", event_type, "http://127.0.0.1:9/webhook")
    result = flask("webhooks", "test")
    counts = result.stdout.count("the receiver responded 408"), result.stderr.count("cannot reach the URL")
    assert counts == (3, 1)


def test_test_distinguishes_a_refusal_by_tableau(flask: RunFlask, site: Running, server: str) -> None:
    """If Tableau itself refuses the test, its HTTP status is shown and the receiver's is null."""
    flask("webhooks", "sync", "--url", server)
    inject_fault(site, kind="error", target="tableau", path="/test$", code="400113")
    result = flask("webhooks", "test", "tableau-webhooks WorkbookCreated")
    assert (result.exit_code, "Tableau did not run the test (400)" in result.stdout) == (1, True)
    (found,) = objects(flask("webhooks", "test", "tableau-webhooks WorkbookCreated", "--json").stdout)
    assert (found["call_status"], found["status"], found["ok"]) == (400, None, False)


def test_test_explains_a_tunnel_that_is_not_running() -> None:
    """`agent not found` is the tunnel's response, whatever its status."""
    assert CallResult(200, 404, "404 page: Agent not found", ok=False).advice == TUNNEL_ADVICE
    assert "no webhook at that path" in CallResult(200, 404, "nothing", ok=False).advice
    assert CallResult(200, 200, "", ok=True).advice == ""


def test_test_without_webhooks_names_the_command_that_creates_them(flask: RunFlask) -> None:
    """A site without webhooks of this server ends the command with 1."""
    result = flask("webhooks", "test")
    assert (result.exit_code, "flask webhooks sync --url" in result.stderr) == (1, True)
