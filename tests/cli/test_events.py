"""`flask events list` and `show`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import PAT, TOKEN, Receive, Run, kept, objects
from webhooks.event import parse
from webhooks.inbox import Inbox
from webhooks.job import Job

EVENT_FIELDS = {
    "id",
    "event_type",
    "resource",
    "resource_name",
    "resource_luid",
    "site_luid",
    "created_at",
    "received_at",
    "state",
    "duplicates",
    "jobs",
}
JOB_FIELDS = {"id", "rule", "handler", "state", "attempts", "max_attempts", "due_at", "error"}


def test_list_gives_events_newest_first(flask: Run, receive: Receive) -> None:
    """One line an event under a line of headings."""
    first, second = receive(), receive("SiteUpdated", resource_name="Branch")
    result = flask("events", "list")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["ID", "RECEIVED", "UTC", "EVENT", "RESOURCE", "STATE"]
    assert lines[1].split() == [str(second), *lines[1].split()[1:3], "SiteUpdated", "Branch", "received"]
    assert lines[2].split()[0] == str(first)


def test_list_of_nothing_says_what_to_do(flask: Run) -> None:
    """An empty inbox: nothing on stdout, a hint on stderr."""
    result = flask("events", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "flask trigger" in result.stderr


def test_list_json_has_the_promised_fields(flask: Run, receive: Receive, claim: Callable[[], list[Job]]) -> None:
    """Events and jobs have at least the fields that other programs rely on."""
    event_id = receive()
    claim()
    (event,) = objects(flask("events", "list", "--json").stdout)
    assert event.keys() >= EVENT_FIELDS
    assert event["id"] == event_id
    assert event["state"] == "planned"
    assert len(event["jobs"]) == 2
    for job in event["jobs"]:
        assert job.keys() >= JOB_FIELDS
        assert (job["rule"], job["handler"], job["state"], job["attempts"]) == (
            "Finance failures",
            "notify",
            "running",
            1,
        )


def test_list_json_gives_back_what_came_in(flask: Run, inbox: Inbox) -> None:
    """Empty texts, nulls, numbers, objects, absent fields and characters of every kind come out unchanged."""
    payload = {
        "event_type": "Something\u2028New\x85\u202e",
        "resource_name": "",
        "resource": None,
        "site_luid": 7,
        "resource_luid": {"a": ["ü", "\U0001f600"]},
        "extra": "\x7f",
    }
    event = parse(json.dumps(payload, ensure_ascii=False).encode())
    assert event
    inbox.receive(event)
    (line,) = flask("events", "list", "--json").stdout.splitlines()
    shown = json.loads(line)
    assert {key: shown[key] for key in payload if key != "extra"} == {k: v for k, v in payload.items() if k != "extra"}
    assert shown["created_at"] is None
    assert shown["payload"] == payload


def test_list_json_tells_times_in_utc(flask: Run, receive: Receive, inbox: Inbox) -> None:
    """received_at is ISO 8601 with a Z."""
    event_id = receive()
    (event,) = objects(flask("events", "list", "--json").stdout)
    assert event["received_at"].endswith("Z")
    received = kept(inbox, event_id).received_at
    assert received
    assert abs(datetime.fromisoformat(event["received_at"]) - received) < timedelta(milliseconds=1)


def test_list_filters(flask: Run, receive: Receive) -> None:
    """By type, by name with *, by LUID, by time, and so many at most."""
    sales = receive("WorkbookCreated", resource_name="Sales", resource_luid="luid-1")
    orders = receive("DatasourceCreated", resource_name="Orders")

    def ids(*options: str) -> list[int]:
        return [event["id"] for event in objects(flask("events", "list", "--json", *options).stdout)]

    assert ids("--type", "WorkbookCreated") == [sales]
    assert ids("--resource", "ord*") == [orders]
    assert ids("--resource", "luid-1") == [sales]
    assert ids("--since", "1h") == [orders, sales]
    assert ids("--since", (datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert ids("--limit", "1") == [orders]
    assert ids("--type", "WorkbookCreated", "--resource", "Orders") == []


def test_list_filters_by_the_state_of_jobs(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """An event is found by its own state and by that of any of its jobs."""
    failed, ignored = receive(), receive("SiteUpdated")
    for job in claim():
        inbox.bury(job, "no such channel")

    def ids(state: str) -> list[int]:
        return [event["id"] for event in objects(flask("events", "list", "--json", "--state", state).stdout)]

    assert (ids("dead"), ids("planned"), ids("ignored"), ids("done")) == ([failed], [failed], [ignored], [])


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--state", "ded"), "did you mean dead?"),
        (("--state", "xyz"), "cancelled, dead, done"),
        (("--type", "WorkbookCreatd"), "did you mean WorkbookCreated?"),
        (("--since", "yesterweek"), "30m, 2h, 7d"),
        (("--limit", "0"), "1<=x"),
        (("--limit", "many"), "not a valid integer"),
        (("--colour", "red"), "No such option"),
    ],
)
def test_list_refuses_unknown_values(flask: Run, options: tuple[str, ...], hint: str) -> None:
    """What nobody can mean ends with 2 and a word on what would be right; nothing is printed on stdout."""
    result = flask("events", "list", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert hint in result.stderr


def test_list_takes_an_unknown_type_that_has_come_in(flask: Run, receive: Receive) -> None:
    """Tableau's list of event types grows; one that is here can be asked for."""
    event_id = receive("FlowCompleted")
    assert [event["id"] for event in objects(flask("events", "list", "--type", "FlowCompleted", "--json").stdout)] == [
        event_id
    ]


def test_list_counts_duplicates(flask: Run, receive: Receive, inbox: Inbox) -> None:
    """The same event again is counted on its line."""
    event_id = receive()
    inbox.receive(kept(inbox, event_id))
    assert objects(flask("events", "list", "--json").stdout)[0]["duplicates"] == 1
    assert flask("events", "list").stdout.splitlines()[1].endswith("+1")


def test_list_summarizes_jobs(flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox) -> None:
    """What is dead comes first."""
    receive()
    done, dead = claim()
    inbox.finish(done)
    inbox.bury(dead, "gone")
    assert flask("events", "list").stdout.splitlines()[1].endswith("1 dead, 1 done")


def test_show_tells_all_of_one_event(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """The payload word for word, then each job with each of its tries."""
    event_id = receive(resource_name="", note="\x1b[31m")
    other = receive()
    for job in claim():
        inbox.postpone(job, 0, "Slack answered status 503")
    text = flask("events", "show", other).stdout
    assert "resource_luid  e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e" in text
    assert text.count("Slack answered status 503") == 4
    assert "attempt 2 of 20 now" in text
    plain = flask("events", "show", event_id).stdout
    assert '""' in plain
    assert "\\x1b[31m" in plain
    assert "\x1b" not in plain


def test_show_json_has_the_attempts(flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox) -> None:
    """Each try of a job says when, how and why."""
    event_id = receive()
    job = claim()[0]
    inbox.bury(job, "no such channel")
    (event,) = objects(flask("events", "show", event_id, "--json").stdout)
    (attempt,) = event["jobs"][0]["attempts_made"]
    assert (attempt["number"], attempt["outcome"], attempt["error"]) == (1, "dead", "no such channel")


@pytest.mark.parametrize("command", ["show", "explain", "replay"])
@pytest.mark.parametrize("event_id", ["41", "0", "9" * 40])
def test_unknown_id_ends_with_1(flask: Run, command: str, event_id: str) -> None:
    """An event that is not there is named on stderr, and nothing else is said."""
    result = flask("events", command, event_id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"no event {event_id}" in result.stderr


def test_secrets_in_errors_are_masked(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """What the server wrote down about its tries is shown without its secrets, for people and programs."""
    event_id = receive()
    job, other = claim()
    inbox.bury(job, f"401 for Bearer {PAT}")
    inbox.postpone(other, 0, f"POST /webhook/{TOKEN} failed")
    for words in (("show", event_id), ("explain", event_id), ("list", "--json"), ("show", event_id, "--json")):
        text = flask("events", *words).stdout
        assert PAT not in text
        assert TOKEN not in text
        if "list" not in words:
            assert "***" in text
