"""Test `flask events list` and `flask events show`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import PAT, TOKEN, Receive, Run, objects, stored
from webhooks.cli.support.options import PAGE
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


def test_events_are_listed_newest_first(flask: Run, receive: Receive) -> None:
    """There is one line per event under a line of headings."""
    first, second = receive(), receive("SiteUpdated", resource_name="Branch")
    result = flask("events", "list")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["ID", "RECEIVED", "UTC", "EVENT", "RESOURCE", "STATE"]
    assert lines[1].split() == [str(second), *lines[1].split()[1:3], "SiteUpdated", "Branch", "received"]
    assert lines[2].split()[0] == str(first)


def test_an_empty_inbox_leads_to_a_hint(flask: Run) -> None:
    """With an empty inbox, stdout is empty and stderr has a hint."""
    result = flask("events", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "flask trigger" in result.stderr


def test_json_has_the_documented_fields(flask: Run, receive: Receive, claim: Callable[[], list[Job]]) -> None:
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


def test_json_has_the_payload_unchanged(flask: Run, inbox: Inbox) -> None:
    """Empty strings, nulls, numbers, objects, missing fields and unusual characters are printed unchanged."""
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
    inbox.events.receive(event)
    (line,) = flask("events", "list", "--json").stdout.splitlines()
    shown = json.loads(line)
    assert {key: shown[key] for key in payload if key != "extra"} == {k: v for k, v in payload.items() if k != "extra"}
    assert shown["created_at"] is None
    assert shown["payload"] == payload


def test_json_has_times_in_utc(flask: Run, receive: Receive, inbox: Inbox) -> None:
    """`received_at` is ISO 8601 with a Z."""
    event_id = receive()
    (event,) = objects(flask("events", "list", "--json").stdout)
    assert event["received_at"].endswith("Z")
    received = stored(inbox, event_id).received_at
    assert received
    assert abs(datetime.fromisoformat(event["received_at"]) - received) < timedelta(milliseconds=1)


def test_events_can_be_filtered(flask: Run, receive: Receive) -> None:
    """Events are filtered by type, by name with *, by LUID and by time, and limited in number."""
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
    assert ids("--type", "WorkbookCreated", "--type", "DatasourceCreated", "--type", "SiteUpdated") == [orders, sales]
    assert ids("--resource", "luid-1", "--resource", "ord*") == [orders, sales]


def test_limit_0_lists_all_events(flask: Run, receive: Receive) -> None:
    """--limit 0 has no maximum, and a limit above the size of a page is kept exactly."""
    ids = [receive(site_luid=str(number)) for number in range(PAGE + 10)]
    assert [event["id"] for event in objects(flask("events", "list", "--json", "--limit", 0).stdout)] == ids[::-1]
    assert len(flask("events", "list", "--limit", 0).stdout.splitlines()) == len(ids) + 1
    assert len(objects(flask("events", "list", "--json", "--limit", PAGE + 5).stdout)) == PAGE + 5


def test_events_can_be_filtered_by_the_state_of_jobs(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """An event is found by its own state and by the state of any of its jobs."""
    failed, ignored = receive(), receive("SiteUpdated")
    for job in claim():
        inbox.dead_letters.dead_letter(job, "no such channel")

    def ids(*states: str) -> list[int]:
        words = [word for state in states for word in ("--state", state)]
        return [event["id"] for event in objects(flask("events", "list", "--json", *words).stdout)]

    assert (ids("dead"), ids("planned"), ids("ignored"), ids("done")) == ([failed], [failed], [ignored], [])
    assert ids("dead", "ignored") == [ignored, failed]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--state", "ded"), "Unknown state 'ded'. Did you mean dead?"),
        (("--state", "failed"), "Unknown state 'failed'. Choose one of: cancelled, dead, done, ignored, "),
        (("--type", "WorkbookCreatd"), "Unknown event type 'WorkbookCreatd'. Did you mean WorkbookCreated?"),
        (("--since", "yesterweek"), "30m, 2h, 7d"),
        (("--limit", "-1"), "x>=0"),
        (("--limit", "many"), "not a valid integer"),
        (("--colour", "red"), "No such option"),
    ],
)
def test_unknown_values_are_refused(flask: Run, options: tuple[str, ...], hint: str) -> None:
    """An invalid option ends with exit code 2 and a list of valid values; nothing is printed on stdout."""
    result = flask("events", "list", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert hint in result.stderr


def test_an_unknown_type_that_was_received_is_a_valid_filter(flask: Run, receive: Receive) -> None:
    """Tableau's list of event types grows, so a type in the inbox can be asked for."""
    event_id = receive("FlowCompleted")
    assert [event["id"] for event in objects(flask("events", "list", "--type", "FlowCompleted", "--json").stdout)] == [
        event_id
    ]


def test_duplicates_are_counted_in_the_list(flask: Run, receive: Receive, inbox: Inbox) -> None:
    """An event received again is counted on its line."""
    event_id = receive()
    inbox.events.receive(stored(inbox, event_id))
    assert objects(flask("events", "list", "--json").stdout)[0]["duplicates"] == 1
    assert flask("events", "list").stdout.splitlines()[1].endswith("+1")


def test_the_list_summarizes_jobs(flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox) -> None:
    """The number of dead jobs comes first."""
    receive()
    done, dead = claim()
    inbox.jobs.finish(done)
    inbox.dead_letters.dead_letter(dead, "gone")
    assert flask("events", "list").stdout.splitlines()[1].endswith("1 dead, 1 done")


def test_show_has_everything_about_one_event(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """The payload is shown unchanged, then each job with each of its attempts."""
    event_id = receive(resource_name="", note="\x1b[31m")
    other = receive()
    for job in claim():
        inbox.jobs.postpone(job, 0, "Slack: status 503")
    text = flask("events", "show", other).stdout
    assert "resource_luid  e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e" in text
    assert text.count("Slack: status 503") == 4
    assert text.count("retrying  1 failed attempt, next one due now; Slack: status 503") == 2
    plain = flask("events", "show", event_id).stdout
    assert '""' in plain
    assert "\\x1b[31m" in plain
    assert "\x1b" not in plain


def test_show_json_has_the_attempts(flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox) -> None:
    """Each attempt of a job has its number, outcome and error."""
    event_id = receive()
    job = claim()[0]
    inbox.dead_letters.dead_letter(job, "no such channel")
    (event,) = objects(flask("events", "show", event_id, "--json").stdout)
    (attempt,) = event["jobs"][0]["attempts_made"]
    assert (attempt["number"], attempt["outcome"], attempt["error"]) == (1, "dead", "no such channel")
    inbox.events.replay([event_id])
    inbox.jobs.finish(claim()[0])
    (event,) = objects(flask("events", "show", event_id, "--json").stdout)
    attempts = event["jobs"][0]["attempts_made"]
    assert [(attempt["replays"], attempt["number"]) for attempt in attempts] == [(0, 1), (1, 1)]


def test_json_has_the_former_name_of_announced_at(flask: Run, receive: Receive, claim: Callable[[], list[Job]]) -> None:
    """Programs that read `told_at` still find it."""
    receive()
    claim()
    (event,) = objects(flask("events", "list", "--json").stdout)
    assert {"announced_at", "told_at"} <= event["jobs"][0].keys()


@pytest.mark.parametrize("command", ["show", "explain", "replay"])
@pytest.mark.parametrize("event_id", ["41", "0", "9" * 40])
def test_an_unknown_id_ends_with_1(flask: Run, command: str, event_id: str) -> None:
    """An event that does not exist is named on stderr, and stdout is empty."""
    result = flask("events", command, event_id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Event {event_id} not found" in result.stderr


def test_secrets_in_errors_are_masked(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """Errors recorded by the server are shown without its secrets, for people and programs."""
    event_id = receive()
    job, other = claim()
    inbox.dead_letters.dead_letter(job, f"401 for Bearer {PAT}")
    inbox.jobs.postpone(other, 0, f"POST /webhook/{TOKEN} failed")
    for words in (("show", event_id), ("explain", event_id), ("list", "--json"), ("show", event_id, "--json")):
        text = flask("events", *words).stdout
        assert PAT not in text
        assert TOKEN not in text
        if "list" not in words:
            assert "***" in text


def test_show_separates_the_attempts_after_a_replay(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """Attempts count from 1 again after a replay, so a line between them says that the job was replayed."""
    event_id = receive("WorkbookCreated")
    (job,) = claim()
    inbox.dead_letters.dead_letter(job, "channel_not_found")
    inbox.events.replay([event_id])
    (job,) = claim()
    inbox.jobs.finish(job)
    attempts = [line.split()[0] for line in flask("events", "show", event_id).stdout.splitlines()[-3:]]
    assert attempts == ["attempt", "replayed", "attempt"]
