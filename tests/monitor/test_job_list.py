"""A job list that changes, repeats a row or fails while it is read: every job makes one event in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tableau_rest import MemorySessions, PersonalAccessToken, Tableau
from tests.tableau_rest.tiny import EXPIRED, ChangingList, Reply, TinyTableau, refused, running
from webhooks.inbox import Inbox
from webhooks.monitor import job_list
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.job_events import CURSOR, JobListCheck
from webhooks.monitor.job_list import JobList
from webhooks.registration.job_list import PROBLEM

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
Change = Callable[[list[int], int], object]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyTableau]:
    """Start a Tableau whose pages have two jobs."""
    monkeypatch.setattr(job_list, "PAGE_SIZE", 2)
    yield from running()


@pytest.fixture
def check(tiny: TinyTableau, inbox: Inbox) -> Iterator[Callable[[float], list[int]]]:
    """Read the list, `minutes` after the first reading; return the numbers of all jobs that have an event."""
    credential = PersonalAccessToken("bot", "s3cr3t-value")
    client = Tableau(tiny.url, "mk", credential, sessions=MemorySessions(), sleep=lambda _: None)
    tiny.replies["GET jobs"] = changing_jobs(0)
    jobs = JobList(lambda: client, JobBudget(inbox))
    one = JobListCheck(Alerts(inbox), lambda: client, lambda: ["FlowRunFailed"], jobs)

    def check(minutes: float) -> list[int]:
        one.run(NOW + timedelta(minutes=minutes))
        stored = [dict(record.event.payload) for record in inbox.events.list(limit=500)]
        return sorted(int(payload["job_luid"][:8]) for payload in stored if "job_luid" in payload)

    assert check(0) == []
    with client:
        yield check


def changing_jobs(count: int, change: Change = lambda _, __: None) -> ChangingList:
    """Return a list of failed runs that `change` may alter before a page is sent."""
    return ChangingList(count, change, names=("backgroundJobs", "backgroundJob"), item=job, refuses=True)


def job(number: int) -> dict[str, Any]:
    times = dict.fromkeys(("createdAt", "startedAt", "endedAt"), f"{NOW:%Y-%m-%dT%H:%M}:30Z")
    luid = f"{number:08d}-0000-4000-8000-000000000000"
    return {"id": luid, "jobType": "run_flow", "status": "Failed", "title": f"Flow {number}", **times}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda found, request: request == 2 and found.insert(0, 9), [0, 1, 2, 3, 4]),
        (lambda found, request: request == 2 and found.append(9), [0, 1, 2, 3, 4, 9]),
        (lambda found, request: request == 2 and found.remove(0), [0, 1, 2, 3, 4]),
        (lambda found, request: request == 3 and found.__delitem__(slice(0, 3)), [0, 1, 2, 3, 4]),
        (lambda found, request: found.__setitem__(slice(None), [0, 1, 1, 2, 3, 4]), [0, 1, 2, 3, 4]),
        (lambda found, request: request % 2 and found.reverse(), [0, 1, 2, 3, 4]),
    ],
    ids=["grows at the front", "grows at the end", "shrinks", "shrinks much", "repeats a row", "changes its order"],
)
def test_list_that_changes_while_it_is_read(
    tiny: TinyTableau, check: Callable[[float], list[int]], change: Change, expected: list[int]
) -> None:
    """No job is lost and none is doubled, at the latest by the next reading."""
    tiny.replies["GET jobs"] = changing_jobs(5, change)
    check(1)
    tiny.replies["GET jobs"] = changing_jobs(5)
    assert [number for number in check(20) if number in expected] == expected
    assert len(check(40)) <= len({*expected, 9})


@pytest.mark.parametrize(
    "reply",
    [refused("500000"), Reply(EXPIRED, 401), Reply({}), Reply(b"<html>"), Reply(b"", 502)],
    ids=["error", "signed out", "no list", "a page of a proxy", "gateway"],
)
def test_error_on_the_third_page(
    tiny: TinyTableau, inbox: Inbox, check: Callable[[float], list[int]], reply: Reply
) -> None:
    """The pages read so far are stored at once; the next reading begins where the last complete one ended."""
    cursor, pages = inbox.state.get(CURSOR), changing_jobs(5)
    tiny.replies["GET jobs"] = lambda asked: pages(asked) if asked.page < 3 else reply
    assert check(1) == [0, 1, 2, 3]
    assert inbox.state.get(CURSOR) == cursor
    assert inbox.state.get(PROBLEM)
    tiny.replies["GET jobs"] = changing_jobs(5)
    # Days later, but the cursor has not moved.
    assert check(60 * 24 * 3) == [0, 1, 2, 3, 4]
    assert inbox.state.get(PROBLEM) is None


def test_list_that_never_becomes_consistent_is_an_error(
    tiny: TinyTableau, inbox: Inbox, check: Callable[[float], list[int]]
) -> None:
    """It is not taken as complete, and the jobs that were skipped are found later."""
    cursor = inbox.state.get(CURSOR)
    tiny.replies["GET jobs"] = changing_jobs(40, lambda found, _: found.append(found.pop(0)) or found.pop(0))
    check(1)
    assert "incomplete" in inbox.state.get(PROBLEM)["text"]
    assert inbox.state.get(CURSOR) == cursor
    tiny.replies["GET jobs"] = changing_jobs(40)
    assert check(600) == list(range(40))
