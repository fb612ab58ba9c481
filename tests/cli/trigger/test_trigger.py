"""`flask trigger`: realistic events over real HTTP."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from flask import Flask

from tests.cli.conftest import TOKEN, Receive, Run, objects, stored
from webhooks.cli.support import application
from webhooks.cli.trigger.scenario import bad_monday
from webhooks.event_types import EVENT_TYPES
from webhooks.inbox import Inbox


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_trigger_sends_every_type(flask: Run, server: str, inbox: Inbox, event_type: str) -> None:
    """The event is accepted and kept, with the time of now."""
    result = flask("trigger", event_type, "--name", "Marge", "--url", server)
    assert result.exit_code == 0
    assert "200 accepted, event 1" in result.stdout
    event = stored(inbox, 1)
    resource = EVENT_TYPES[event_type].resource
    assert (event.event_type, event.resource_name, event.resource) == (event_type, "Marge", resource)
    assert abs(datetime.fromisoformat(event.created_at) - datetime.now(UTC)) < timedelta(seconds=30)


def test_trigger_shows_no_token(flask: Run, server: str) -> None:
    """Neither the server's own nor one that was given is printed, for people or programs."""
    for words in ((), ("--json",), ("--token", "wrong-tok-77"), ("--token", "wrong-tok-77", "--json")):
        result = flask("trigger", "SiteUpdated", "--url", server, *words)
        for secret in (TOKEN, "wrong-tok-77"):
            assert secret not in result.stdout + result.stderr
        assert "/webhook/***" in result.stdout


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_trigger_shows_no_path_that_may_be_a_token(flask: Run, server: str, words: tuple[str, ...]) -> None:
    """Not every server has its token behind /webhook, and not every token is ours."""
    result = flask("trigger", "SiteUpdated", "--url", f"{server}/their-token/x", *words)
    assert f"{server}/***" in result.stdout
    assert "their-token" not in result.output


def test_our_secrets_are_hidden_anywhere_in_a_url(app: Flask) -> None:
    """A tunnel may have the token in the name of its host."""
    with app.app_context():
        assert application.redact_url(f"https://{TOKEN}.example.org/webhook/x") == "https://***.example.org/webhook/***"


def test_trigger_with_a_wrong_token_ends_with_1(flask: Run, server: str) -> None:
    """Anything but 200 is no success; the hint says what may be wrong."""
    result = flask("trigger", "SiteUpdated", "--url", server, "--token", "wrong")
    assert result.exit_code == 1
    assert "401" in result.stdout
    assert "WEBHOOK_TOKEN" in result.stderr


def test_trigger_url_with_a_path_stands_as_it_is(flask: Run, server: str) -> None:
    """Nothing is added to a hook's URL."""
    assert flask("trigger", "SiteUpdated", "--url", f"{server}/webhook").exit_code == 1
    assert flask("trigger", "SiteUpdated", "--url", f"{server}/webhook?token={TOKEN}").exit_code == 0
    assert flask("trigger", "SiteCreated", "--url", f"{server}/webhook", "--token", TOKEN).exit_code == 0
    missing = flask("trigger", "SiteUpdated", "--url", f"{server}/elsewhere")
    assert (missing.exit_code, "404" in missing.stdout) == (1, True)


def test_trigger_sets_and_leaves_out_fields(flask: Run, server: str, inbox: Inbox) -> None:
    """key=text is a text, key:=JSON any value; --unset leaves a field out."""
    words = ["--set", "resource_name=", "--set", "site_luid:=null", "--set", 'more:={"a": [1]}', "--set", "n=7=8"]
    assert flask("trigger", "WorkbookCreated", "--url", server, *words, "--unset", "text").exit_code == 0
    payload = stored(inbox, 1).payload
    assert (payload["resource_name"], payload["site_luid"], payload["more"]) == ("", None, {"a": [1]})
    assert payload["n"] == "7=8"
    assert "text" not in payload


@pytest.mark.parametrize("change", ["nothing", "=x", ":=1", "a:={", "a:=NaN"])
def test_trigger_refuses_changes_that_are_none(flask: Run, change: str) -> None:
    """A change that cannot be meant is a usage error, before anything is sent."""
    assert flask("trigger", "WorkbookCreated", "--set", change).exit_code == 2


def test_trigger_sends_unknown_types_with_a_warning(flask: Run, server: str, inbox: Inbox) -> None:
    """A type not known so far may be a new one, or a slip."""
    result = flask("trigger", "WorkbookCreatd", "--url", server)
    assert result.exit_code == 0
    assert "did you mean WorkbookCreated?" in result.stderr
    assert stored(inbox, 1).event_type == "WorkbookCreatd"


def test_trigger_test_is_answered_and_not_kept(flask: Run, server: str, inbox: Inbox) -> None:
    """Tableau's test request can be tried as well."""
    result = flask("trigger", "Test", "--url", server)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "200 test" in result.stdout
    assert inbox.events() == []


def test_trigger_json_tells_what_was_sent_and_answered(flask: Run, server: str, inbox: Inbox) -> None:
    """One object a line: status, answer, what was sent."""
    result = flask("trigger", "WorkbookCreated", "--name", 'Ümläut "x"', "--url", server, "--json")
    (told,) = objects(result.stdout)
    assert told["status"] == 200
    assert told["answer"] == {"status": "accepted", "event": 1}
    assert told["sent"] == stored(inbox, 1).payload


def test_trigger_count_sends_events_and_not_duplicates(flask: Run, server: str, inbox: Inbox) -> None:
    """So many events about one thing, at different times, the last one now."""
    result = flask("trigger", "WorkbookRefreshFailed", "--url", server, "--count", 20)
    assert result.stdout.splitlines()[-1] == "20 sent: 20 accepted"
    events = [record.event for record in inbox.events()]
    assert len({event.created_at for event in events}) == 20
    assert len({event.resource_luid for event in events}) == 1
    assert max(event.created_at for event in events) == events[0].created_at


def test_trigger_from_sends_a_kept_event_again_with_the_time_of_now(
    flask: Run, server: str, inbox: Inbox, receive: Receive
) -> None:
    """The same thing happens again: another event with the same values but its time."""
    first = receive(extra="kept")
    assert flask("trigger", "--from", first, "--url", server).exit_code == 0
    old, new = stored(inbox, first), inbox.events(limit=1)[0].event
    assert new.id != first
    assert {**new.payload, "created_at": old.created_at} == old.payload


def test_trigger_from_with_a_type_makes_the_next_chapter(
    flask: Run, server: str, inbox: Inbox, receive: Receive
) -> None:
    """A failed refresh of a kept event succeeds: same LUID, other type."""
    first = receive("WorkbookCreated", resource="WORKBOOK")
    assert flask("trigger", "WorkbookRefreshSucceeded", "--from", first, "--url", server).exit_code == 0
    new = inbox.events(limit=1)[0].event
    assert (new.event_type, new.resource) == ("WorkbookRefreshSucceeded", "EXTRACTS")
    assert new.resource_luid == stored(inbox, first).resource_luid


def test_trigger_from_an_unknown_id_ends_with_1(flask: Run) -> None:
    """There is nothing to start from."""
    assert flask("trigger", "--from", 41).exit_code == 1


def test_trigger_without_a_type_lists_them(flask: Run) -> None:
    """The usage error names what there is."""
    result = flask("trigger")
    assert result.exit_code == 2
    assert "WorkbookRefreshFailed" in result.stderr


def test_trigger_without_a_server_says_how_to_start_one(flask: Run) -> None:
    """Connection refused: a sentence and exit code 3, no traceback and no token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = flask("trigger", "SiteUpdated", "--url", f"http://127.0.0.1:{port}")
    assert result.exit_code == 3
    assert "make run" in result.stderr
    assert TOKEN not in result.output


def test_trigger_looks_like_tableau() -> None:
    """The headers are those of Tableau's sender; the body is compact JSON."""
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
    answer = sender.post(encode({"resource_name": "Ü", "half": "\ud800"}))
    sender.close()
    thread.join()
    listener.server_close()
    assert answer.status == 302
    assert (seen["User-Agent"], seen["Content-Type"]) == ("TableauWebhooks/1.0", "application/json")
    assert json.loads(bodies[0]) == {"resource_name": "Ü", "half": "\ud800"}


def test_trigger_scenario_tells_a_story(flask: Run, server: str, inbox: Inbox) -> None:
    """A bad Monday: 200 refreshes of 200 things, 17 fail, 5 of those are well again; not one is a duplicate."""
    result = flask("trigger", "--scenario", "bad-monday", "--url", server, "--set", "site_luid=x")
    assert result.stdout.splitlines()[-1] == "410 sent: 410 accepted"
    events = [record.event for record in inbox.events(limit=1000)]
    failed = [event for event in events if event.event_type.endswith("Failed")]
    succeeded = {event.resource_luid for event in events if event.event_type.endswith("Succeeded")}
    assert (len(failed), len({event.resource_luid for event in failed})) == (17, 17)
    assert len([event for event in failed if event.resource_luid in succeeded]) == 5
    assert {event.site_luid for event in events} == {"x"}


def test_trigger_scenario_ends_what_it_starts() -> None:
    """Each refresh ends after it started, each recovery comes after its failure, and nothing is in the future."""
    open_ones: dict[str, str] = {}
    for scene in bad_monday():
        assert scene.before.total_seconds() > 0
        thing = scene.event_type.partition("Refresh")[0] + scene.name
        if scene.event_type.endswith("Started"):
            assert open_ones.get(thing) in {None, "Failed"}, scene
            open_ones[thing] = "Started"
        else:
            assert open_ones[thing] == "Started", scene
            open_ones[thing] = scene.event_type.partition("Refresh")[2]


@pytest.mark.parametrize("words", [("--name", "x"), ("SiteUpdated",), ("--count", "2"), ("--from", "1")])
def test_trigger_scenario_goes_alone(flask: Run, words: tuple[str, ...]) -> None:
    """A story says itself what happens and to what."""
    assert flask("trigger", "--scenario", "bad-monday", *words).exit_code == 2
