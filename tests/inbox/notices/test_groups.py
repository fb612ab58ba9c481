"""Test which incidents share a message at a destination."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count

import pytest

from tests.support.databases import Clock, some_event
from webhooks.clock import from_timestamp
from webhooks.inbox import Inbox, NoticeRecord
from webhooks.inbox.notices.groups import Placement
from webhooks.incidents import Act, DestinationPolicy, Policy, ResourceDetails
from webhooks.job import NOTICE_GROUP, Job, NewJob

POLICY = Policy(rule="Finance", destinations=(DestinationPolicy("slack:#bi"),))
START = 1_795_600_000.0
numbers = count(1000)
Fail = Callable[..., list[tuple[NoticeRecord, Job]]]


@pytest.fixture
def fail(box: Inbox, clock: Clock) -> Fail:
    """Let the refreshes of this many workbooks fail, and return their notices, each with a job."""
    clock.seconds = START

    def fail(number: int, to: str = "slack:#bi") -> list[tuple[NoticeRecord, Job]]:
        found = []
        for _ in range(number):
            each = next(numbers)
            luid = f"00000000-0000-4000-8000-{each:012}"
            created = from_timestamp(clock.seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
            fields = {"resource": "EXTRACTS", "resource_luid": luid, "created_at": created}
            event = some_event(each, "WorkbookRefreshFailed", **fields)
            box.events.receive(event)
            box.events.plan(lambda _: [NewJob("k", "notify")])
            (job,) = box.jobs.claim("me", 1, 900)
            record = box.incidents.of_resource(str(event.site_luid), luid, from_timestamp(clock.seconds))
            assert record
            found.append((box.notices.register(record.id, to, POLICY), job))
        return found

    return fail


def test_third_opening_makes_a_group(box: Inbox, fail: Fail, clock: Clock) -> None:
    """The first one is sent, the second waits, and with the third one all are in a group whose message has one job."""
    notices = fail(6)
    placed = [box.notice_groups.place(*one) for one in notices[:3]]
    until = from_timestamp(START + 10)
    assert placed[:2] == [Placement(), Placement(wait_until=until)]
    assert [box.notice_groups.place(*one).group_id for one in notices[1:]] == [placed[2].group_id] * 5
    assert box.notice_groups.place(*notices[0]) == Placement()
    assert len(box.notice_groups.members(placed[2].group_id or 0)) == 6
    (job,) = box.jobs.claim("me", 10, 900)
    # With the destination, as a dead letter is about that.
    assert (job.handler, job.params) == (NOTICE_GROUP, {"group": placed[2].group_id, "to": "slack:#bi"})
    # While all openings join the group, it does not matter which database they read.
    ((late, _),) = fail(1)
    assert not box.notice_groups.may_share(late)
    clock.forward(301)
    assert box.notice_groups.may_share(late)


def test_one_database_makes_a_group(box: Inbox, fail: Fail, clock: Clock) -> None:
    """The third failure within 15 minutes of content that reads one database makes a group, which only such ones join.

    The first two have messages of their own.
    """

    def place(upstream: tuple[str, ...] | None) -> Placement:
        ((notice, job),) = fail(1)
        box.incidents.save_details(notice.incident_id, ResourceDetails(upstream=upstream))
        placed = box.notice_groups.place(notice, job)
        clock.forward(200)
        return placed

    assert [place(("w", "x")), place(("w",))] == [Placement()] * 2
    group_id = place(("w",)).group_id
    assert group_id
    assert [place(None), place(("x",)), place(())] == [Placement()] * 3
    assert place(("w", "y")).group_id == group_id
    assert len(box.notice_groups.members(group_id)) == 4
    group = box.notice_groups.get(group_id)
    assert group
    assert group.kind == "upstream"
    clock.forward(900)
    assert place(("w",)) == Placement()


def test_waiting_ends_with_a_message_of_its_own(box: Inbox, fail: Fail, clock: Clock) -> None:
    """An opening that no other ones follow is sent after ten seconds, and this is not changed by later ones."""
    first, second = fail(2)
    assert box.notice_groups.place(*first) == Placement()
    assert box.notice_groups.place(*second).wait_until
    clock.forward(10)
    assert box.notice_groups.place(*second) == Placement()
    for one in fail(4):
        box.notice_groups.place(*one)
    assert box.notice_groups.place(*second) == Placement()


def test_destinations_are_independent(box: Inbox, fail: Fail) -> None:
    """Two openings at one destination and one at another are no group."""
    notices = [*fail(2), *fail(1, "slack:#finance")]
    assert all(box.notice_groups.place(*one).group_id is None for one in notices)
    assert box.notice_groups.place(*notices[2]) == Placement()


def test_end_of_a_silence_is_a_group_of_two(box: Inbox, fail: Fail, clock: Clock) -> None:
    """Two openings that the same silence held share a message; one of another silence, or sent alone, is not in it."""
    end, other = from_timestamp(START), from_timestamp(START - 60)
    first, second, third, fourth = fail(4)
    assert box.notice_groups.place(*first, summary_at=end).wait_until
    group_id = box.notice_groups.place(*second, summary_at=end).group_id
    assert group_id
    assert box.notice_groups.place(*first, summary_at=end).group_id == group_id
    assert box.notice_groups.place(*third, summary_at=other).group_id is None
    clock.forward(10)
    assert box.notice_groups.place(*third, summary_at=other) == Placement()
    assert box.notice_groups.place(*fourth, summary_at=other).wait_until


def test_second_opening_of_a_person_makes_a_group(box: Inbox, fail: Fail, clock: Clock) -> None:
    """The second one within minutes shares a message with the first, unless a person has acknowledged that."""
    to = "slack:ann@example.org"
    notices = fail(2, to)
    placed = [box.notice_groups.place(*one, of_person=True) for one in notices]
    assert placed[0] == Placement()
    group_id = placed[1].group_id or 0
    assert [notice.id for notice, _ in box.notice_groups.members(group_id)] == [notice.id for notice, _ in notices]
    clock.forward(290)
    (third,) = fail(1, to)
    assert box.notice_groups.place(*third, of_person=True).group_id == group_id
    for notice, _ in [*notices, third]:
        box.incidents.act(notice.incident_id, Act("", "acknowledge", "", from_timestamp(clock.seconds), "Ann"))
    fourth, fifth = fail(2, to)
    assert box.notice_groups.place(*fourth, of_person=True) == Placement()
    assert box.notice_groups.place(*fifth, of_person=True).group_id not in {None, group_id}
    clock.forward(301)
    (sixth,) = fail(1, to)
    assert box.notice_groups.place(*sixth, of_person=True) == Placement()


def test_second_opening_of_a_person_because_of_one_database(box: Inbox, fail: Fail, clock: Clock) -> None:
    """Content that reads one database shares the message for a quarter of an hour, and is looked up only for that."""
    to = "slack:ann@example.org"
    ((first, job),) = fail(1, to)
    assert not box.notice_groups.may_share(first, of_person=True)
    box.notice_groups.place(first, job, of_person=True)
    box.incidents.save_details(first.incident_id, ResourceDetails(upstream=("w",)))
    for seconds, asks in ((200, False), (400, True)):
        clock.forward(seconds)
        ((notice, job),) = fail(1, to)
        assert box.notice_groups.may_share(notice, of_person=True) is asks
    assert box.notice_groups.place(notice, job, of_person=True) == Placement()
    box.incidents.save_details(notice.incident_id, ResourceDetails(upstream=("w",)))
    ((other, job),) = fail(1, to)
    box.incidents.save_details(other.incident_id, ResourceDetails(upstream=("w",)))
    clock.forward(800)
    assert box.notice_groups.place(other, job, of_person=True).group_id


def test_group_takes_over_a_message(box: Inbox, fail: Fail) -> None:
    """A group has the message of its first incident from then on, but not while its outcome is unknown."""
    (first, job), second = fail(2, "slack:ann@example.org")
    box.notice_groups.place(first, job, of_person=True)
    group_id = box.notice_groups.place(*second, of_person=True).group_id or 0
    group = box.notice_groups.get(group_id)
    assert group
    box.notices.save(first, posted={"pending": {"message": {}}}, shown={})
    assert not box.notice_groups.take_over(group, first)
    box.notices.save(first, posted={"message": {"id": "1"}}, shown={"message": 1})
    assert box.notice_groups.take_over(group, first)
    taken, kept = box.notice_groups.get(group_id), box.notices.get(first.id)
    assert taken
    assert (taken.posted, taken.shown) == ({"message": {"id": "1"}}, {})
    assert taken.posted_at
    assert kept
    assert (kept.posted, kept.single, kept.group_id, kept.shown) == (None, False, group_id, {"message": 1})
    assert box.notice_groups.place(kept, job, of_person=True).group_id == group_id


def test_many_threads_decide_alike(box: Inbox, fail: Fail, clock: Clock) -> None:
    """If 24 openings are decided at the same time, one has its own message and all others share one."""
    notices = fail(24)
    found: list[Placement] = []
    for _ in range(2):
        threads = [
            threading.Thread(target=lambda one=one: found.append(box.notice_groups.place(*one))) for one in notices
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    last = found[24:]
    assert sum(one == Placement() for one in last) == 1
    assert len({one.group_id for one in last if one.group_id}) == 1
    assert sum(one.group_id is not None for one in last) == 23
    assert len(box.jobs.claim("me", 100, 900)) == 1


def test_change_while_the_message_is_written_is_not_lost(box: Inbox, fail: Fail) -> None:
    """A job does not end its work if something has changed since it read the group; then nothing is pending."""
    notices = fail(5)
    group_id = [box.notice_groups.place(*one) for one in notices][-1].group_id or 0
    group = box.notice_groups.get(group_id)
    assert group
    box.notice_groups.changed(group_id, notices[1][1])
    assert not box.notice_groups.finish(group)
    newer = box.notice_groups.get(group_id)
    assert newer
    assert box.notice_groups.finish(newer)


def test_dead_job_is_replaced(box: Inbox, fail: Fail) -> None:
    """If the job of a group is dead-lettered, the next change adds another."""
    notices = fail(5)
    group_id = [box.notice_groups.place(*one) for one in notices][-1].group_id or 0
    (job,) = box.jobs.claim("me", 10, 900)
    box.notice_groups.changed(group_id, notices[1][1])
    assert box.jobs.claim("me", 10, 900) == []
    box.dead_letters.dead_letter(job, "channel_not_found")
    box.notice_groups.changed(group_id, notices[1][1])
    assert [one.handler for one in box.jobs.claim("me", 10, 900)] == [NOTICE_GROUP]


def test_job_of_a_group_goes_before_a_backlog(box: Inbox, fail: Fail, clock: Clock) -> None:
    """In a storm, the shared message is updated as soon as it may be, however many jobs are due for longer."""
    notices = fail(5)
    group_id = [box.notice_groups.place(*one) for one in notices][-1].group_id or 0
    (runner,) = box.jobs.claim("me", 1, 900)
    box.events.receive(some_event(next(numbers), "WorkbookCreated"))
    box.events.plan(lambda _: [NewJob(f"waits {number}", "notify") for number in range(20)])
    box.jobs.postpone(runner, 1, "the incidents have changed meanwhile")
    box.notice_groups.changed(group_id, notices[1][1])
    clock.forward(2)
    box.notice_groups.changed(group_id, notices[2][1])
    claimed = box.jobs.claim("me", 2, 900)
    assert [job.handler for job in claimed] == [NOTICE_GROUP, "notify"]
    # While it runs, it is not moved: its due time is the end of its lease.
    box.notice_groups.changed(group_id, notices[3][1])
    assert box.jobs.claim("another", 1, 900)[0].handler == "notify"


def test_groups_without_incidents_are_deleted(box: Inbox, fail: Fail) -> None:
    """A group goes with its last incident."""
    group_id = [box.notice_groups.place(*one) for one in fail(5)][-1].group_id or 0
    assert box.notice_groups.delete_empty(START + 60) == 0
    box.store.write(lambda connection: connection.exec_driver_sql("DELETE FROM notices").rowcount)
    assert box.notice_groups.delete_empty(START + 60) == 1
    assert box.notice_groups.get(group_id) is None
