"""Test `flask trigger` over real HTTP."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from flask import Flask
from pydantic import SecretStr

from simulator import Config, running
from tests.cli.conftest import TOKEN, Receive, Run, objects, stored
from webhooks.cli.support import application
from webhooks.cli.trigger.scenario import bad_monday
from webhooks.config.settings import Settings
from webhooks.event_types import EVENT_TYPES
from webhooks.inbox import Inbox


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_trigger_sends_every_type(flask: Run, server: str, inbox: Inbox, event_type: str) -> None:
    """The event is accepted and stored, with the current time."""
    result = flask("trigger", event_type, "--name", "Marge", "--url", server)
    assert result.exit_code == 0
    assert "200 accepted, event 1" in result.stdout
    event = stored(inbox, 1)
    resource = EVENT_TYPES[event_type].resource
    assert (event.event_type, event.resource_name, event.resource) == (event_type, "Marge", resource)
    assert abs(datetime.fromisoformat(event.created_at) - datetime.now(UTC)) < timedelta(seconds=30)


def test_no_token_is_printed(flask: Run, server: str) -> None:
    """Neither the server's token nor a given one is printed, for people or programs."""
    for words in ((), ("--json",), ("--token", "wrong-tok-77"), ("--token", "wrong-tok-77", "--json")):
        result = flask("trigger", "SiteUpdated", "--url", server, *words)
        for secret in (TOKEN, "wrong-tok-77"):
            assert secret not in result.stdout + result.stderr
        assert "/webhook/***" in result.stdout


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_no_path_that_may_be_a_token_is_printed(flask: Run, server: str, words: tuple[str, ...]) -> None:
    """The URL of another server may have its token anywhere in the path, so the path is masked."""
    result = flask("trigger", "SiteUpdated", "--url", f"{server}/their-token/x", *words)
    assert f"{server}/***" in result.stdout
    assert "their-token" not in result.output


def test_secrets_are_masked_anywhere_in_a_url(app: Flask) -> None:
    """The token is masked even in the host name of a tunnel."""
    with app.app_context():
        assert application.redact_url(f"https://{TOKEN}.example.org/webhook/x") == "https://***.example.org/webhook/***"


def test_trigger_with_a_wrong_token_ends_with_1(flask: Run, server: str) -> None:
    """Any response other than 200 ends the command with 1, and a hint gives the probable reason."""
    result = flask("trigger", "SiteUpdated", "--url", server, "--token", "wrong")
    assert result.exit_code == 1
    assert "401" in result.stdout
    assert "WEBHOOK_TOKEN" in result.stderr


def test_a_url_with_a_path_is_not_changed(flask: Run, server: str) -> None:
    """Nothing is added to a URL with a path, except for a token that was asked for."""
    assert flask("trigger", "SiteUpdated", "--url", f"{server}/webhook").exit_code == 1
    assert flask("trigger", "SiteUpdated", "--url", f"{server}/webhook?token={TOKEN}").exit_code == 0
    assert flask("trigger", "SiteCreated", "--url", f"{server}/webhook", "--token", TOKEN).exit_code == 0
    missing = flask("trigger", "SiteUpdated", "--url", f"{server}/elsewhere")
    assert (missing.exit_code, "404" in missing.stdout) == (1, True)


def test_fields_can_be_set_and_left_out(flask: Run, server: str, inbox: Inbox) -> None:
    """key=text sets a string, key:=JSON any value; --unset leaves a field out."""
    words = ["--set", "resource_name=", "--set", "site_luid:=null", "--set", 'more:={"a": [1]}', "--set", "n=7=8"]
    assert flask("trigger", "WorkbookCreated", "--url", server, *words, "--unset", "text").exit_code == 0
    payload = stored(inbox, 1).payload
    assert (payload["resource_name"], payload["site_luid"], payload["more"]) == ("", None, {"a": [1]})
    assert payload["n"] == "7=8"
    assert "text" not in payload


@pytest.mark.parametrize("change", ["nothing", "=x", ":=1", "a:={", "a:=NaN"])
def test_an_invalid_field_is_refused(flask: Run, change: str) -> None:
    """An invalid --set is a usage error, before anything is sent."""
    assert flask("trigger", "WorkbookCreated", "--set", change).exit_code == 2


def test_a_misspelt_type_is_refused_unless_forced(flask: Run, server: str, inbox: Inbox) -> None:
    """A misspelt event type is sent only with --force."""
    result = flask("trigger", "WorkbookCreatd", "--url", server)
    assert result.exit_code == 2
    assert "Unknown event type 'WorkbookCreatd'. Did you mean WorkbookCreated? --force sends it anyway." in " ".join(
        result.stderr.split()
    )
    assert inbox.events.list() == []
    assert flask("trigger", "WorkbookCreatd", "--force", "--url", server).exit_code == 0
    assert stored(inbox, 1).event_type == "WorkbookCreatd"


def test_an_unknown_type_is_sent_with_a_warning(flask: Run, server: str, inbox: Inbox) -> None:
    """Tableau's list of event types grows, so a type that is like no other may be a new one."""
    result = flask("trigger", "FlowArchived", "--url", server)
    assert result.exit_code == 0
    assert "unknown event type 'FlowArchived'" in result.stderr
    assert stored(inbox, 1).event_type == "FlowArchived"


def test_events_are_marked_as_a_test(flask: Run, server: str, inbox: Inbox) -> None:
    """A triggered event is recognizable as a test, unless the mark is left out."""
    assert flask("trigger", "SiteUpdated", "--url", server).exit_code == 0
    assert flask("trigger", "SiteCreated", "--url", server, "--unset", "test").exit_code == 0
    assert (stored(inbox, 1).is_test, stored(inbox, 2).is_test) == (True, False)
    assert "test" not in stored(inbox, 2).payload


@pytest.fixture
def real_services(settings: Settings) -> None:
    """Set up Slack at its real address; nothing is sent there, because no worker runs."""
    settings.__dict__.update(slack_token=SecretStr("xoxb-1-secret"), slack_channel="#finance")


@pytest.mark.usefixtures("real_services")
def test_real_messages_need_consent(flask: Run, server: str, inbox: Inbox) -> None:
    """If a rule would send a real message, the command asks, and without a terminal it needs --yes."""
    words = ("trigger", "WorkbookRefreshFailed", "--name", "Finance 2026", "--url", server)
    refused = flask(*words)
    assert refused.exit_code == 2
    question = " ".join(refused.stderr.split())
    assert "This runs real actions: notify slack:#finance. Send 1 event marked as a test?" in question
    assert inbox.events.list() == []
    assert flask(*words, "--yes").exit_code == 0
    assert len(inbox.events.list()) == 1


@pytest.mark.usefixtures("real_services")
@pytest.mark.parametrize("words", [("WorkbookRefreshFailed", "--name", "Sales"), ("WorkbookCreated",), ("Test",)])
def test_events_without_real_messages_need_no_consent(flask: Run, server: str, words: tuple[str, ...]) -> None:
    """An event that no rule matches, or that is only printed, is sent at once."""
    assert flask("trigger", *words, "--url", server).exit_code == 0


def test_notifiers_on_this_machine_are_not_real(flask: Run, server: str, settings: Settings) -> None:
    """The services of a demo receive events without consent."""
    demo = {"slack_token": SecretStr("xoxb-demo"), "slack_api_url": "http://127.0.0.1:8100/slack/api/"}
    settings.__dict__.update(demo)
    assert flask("trigger", "WorkbookRefreshFailed", "--name", "Finance", "--url", server).exit_code == 0


def test_another_machine_needs_consent(flask: Run) -> None:
    """The rules of another machine are unknown, so sending there needs consent."""
    result = flask("trigger", "SiteUpdated", "--url", "https://hooks.example.org")
    assert result.exit_code == 2
    assert "hooks.example.org may send real messages" in " ".join(result.stderr.split())


def test_a_test_request_is_not_stored(flask: Run, server: str, inbox: Inbox) -> None:
    """Tableau's test request can be sent, too; the server does not store it."""
    result = flask("trigger", "Test", "--url", server)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "200 test" in result.stdout
    assert inbox.events.list() == []


def test_json_has_the_payload_and_the_response(flask: Run, server: str, inbox: Inbox) -> None:
    """There is one object per event with status, answer and payload."""
    result = flask("trigger", "WorkbookCreated", "--name", 'Ümläut "x"', "--url", server, "--json")
    (exchange,) = objects(result.stdout)
    assert exchange["status"] == 200
    assert exchange["answer"] == {"status": "accepted", "event": 1}
    assert exchange["sent"] == stored(inbox, 1).payload


def test_count_sends_different_events(flask: Run, server: str, inbox: Inbox) -> None:
    """--count sends events about the same content at different times, the last one now."""
    result = flask("trigger", "WorkbookRefreshFailed", "--url", server, "--count", 20)
    assert result.stdout.splitlines()[-1] == "20 sent: 20 accepted"
    events = [record.event for record in inbox.events.list()]
    assert len({event.created_at for event in events}) == 20
    assert len({event.resource_luid for event in events}) == 1
    assert max(event.created_at for event in events) == events[0].created_at


def test_from_sends_a_stored_event_with_the_current_time(
    flask: Run, server: str, inbox: Inbox, receive: Receive
) -> None:
    """--from sends a new event with the same values, except for its time and the mark of a test."""
    first = receive(extra="value")
    assert flask("trigger", "--from", first, "--url", server).exit_code == 0
    old, new = stored(inbox, first), inbox.events.list(limit=1)[0].event
    assert new.id != first
    assert new.payload == {**old.payload, "created_at": new.created_at, "test": True}
    assert new.created_at != old.created_at


def test_from_with_a_type_sends_another_event_about_the_content(
    flask: Run, server: str, inbox: Inbox, receive: Receive
) -> None:
    """--from with an event type keeps the LUID of the stored event."""
    first = receive("WorkbookCreated", resource="WORKBOOK")
    assert flask("trigger", "WorkbookRefreshSucceeded", "--from", first, "--url", server).exit_code == 0
    new = inbox.events.list(limit=1)[0].event
    assert (new.event_type, new.resource) == ("WorkbookRefreshSucceeded", "EXTRACTS")
    assert new.resource_luid == stored(inbox, first).resource_luid


def test_from_an_unknown_id_ends_with_1(flask: Run) -> None:
    """The stored event must exist."""
    assert flask("trigger", "--from", 41).exit_code == 1


def test_trigger_without_a_type_lists_them(flask: Run) -> None:
    """The usage error names the event types."""
    result = flask("trigger")
    assert result.exit_code == 2
    assert "WorkbookRefreshFailed" in result.stderr


def test_trigger_without_a_server_says_how_to_start_one(flask: Run) -> None:
    """If the connection is refused, the command ends with a sentence and exit code 3, without a token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = flask("trigger", "SiteUpdated", "--url", f"http://127.0.0.1:{port}")
    assert result.exit_code == 3
    assert "make run" in result.stderr
    assert TOKEN not in result.output


def test_trigger_looks_like_tableau() -> None:
    """The headers are those of Tableau's sender, the body is compact JSON, and redirects are not followed."""
    seen: dict[str, str] = {}
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.update(self.headers.items())
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    from webhooks.cli.trigger.post import Sender
    from webhooks.cli.trigger.sample import encode

    listener = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=listener.handle_request)
    thread.start()
    sender = Sender(f"http://127.0.0.1:{listener.server_port}/webhook")
    response = sender.post(encode({"resource_name": "Ü", "half": "\ud800"}))
    sender.close()
    thread.join()
    listener.server_close()
    assert response.status == 302
    assert (seen["User-Agent"], seen["Content-Type"]) == ("TableauWebhooks/1.0", "application/json")
    assert json.loads(bodies[0]) == {"resource_name": "Ü", "half": "\ud800"}


def test_a_scenario_sends_its_events(flask: Run, server: str, inbox: Inbox) -> None:
    """The bad Monday has 200 refreshes: 17 fail, 5 of these succeed later, and no event is a duplicate."""
    result = flask("trigger", "--scenario", "bad-monday", "--url", server, "--set", "site_luid=x")
    assert result.stdout.splitlines()[-1] == "410 sent: 410 accepted"
    events = [record.event for record in inbox.events.list(limit=1000)]
    failed = [event for event in events if event.event_type.endswith("Failed")]
    succeeded = {event.resource_luid for event in events if event.event_type.endswith("Succeeded")}
    assert (len(failed), len({event.resource_luid for event in failed})) == (17, 17)
    assert len([event for event in failed if event.resource_luid in succeeded]) == 5
    assert {event.site_luid for event in events} == {"x"}


def test_a_scenario_is_consistent() -> None:
    """Each refresh ends after its start, each success after its failure, and no event is in the future."""
    running: dict[str, str] = {}
    for scene in bad_monday():
        assert scene.before.total_seconds() > 0
        content = scene.event_type.partition("Refresh")[0] + scene.name
        if scene.event_type.endswith("Started"):
            assert running.get(content) in {None, "Failed"}, scene
            running[content] = "Started"
        else:
            assert running[content] == "Started", scene
            running[content] = scene.event_type.partition("Refresh")[2]


@pytest.mark.parametrize("words", [("--name", "x"), ("SiteUpdated",), ("--count", "2"), ("--from", "1")])
def test_a_scenario_is_not_combined(flask: Run, words: tuple[str, ...]) -> None:
    """A scenario defines its event types, names and numbers."""
    assert flask("trigger", "--scenario", "bad-monday", *words).exit_code == 2


@pytest.mark.parametrize(("scenario", "words"), [("missed", "late by 45 minutes"), ("long", "running for four hours")])
def test_a_situation_happens_on_the_simulated_site(flask: Run, settings: Settings, scenario: str, words: str) -> None:
    """It changes the simulated site, is refused where there is none, and is not combined with fields of events."""
    for domain, exit_code in (("", 2), ("https://tableau.example.org", 2), ("http://127.0.0.1:9", 3)):
        settings.__dict__.update(tableau_domain=domain)
        assert flask("trigger", "--scenario", scenario).exit_code == exit_code
    with running(Config(refresh_seconds=0)) as site:
        settings.__dict__.update(tableau_domain=site.url)
        assert flask("trigger", "--scenario", scenario, "--name", "x").exit_code == 2
        done = flask("trigger", "--scenario", scenario)
        assert (done.exit_code, words in done.stdout) == (0, True), done.output
        home = site.world.home
        late = [task for task in home.tasks.values() if task.is_stuck]
        unended = [job for job in home.jobs.values() if job.title == "Sales" and job.finish_code is None]
        assert (bool(late), bool(unended)) == (scenario == "missed", scenario == "long")
