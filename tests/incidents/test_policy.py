"""Notifications over time: timelines of events and acts, and what each destination is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from tests.incidents.building import act, at, history, id_of, piece
from tests.incidents.timeline import play
from webhooks.incidents import (
    Act,
    Cure,
    DestinationPolicy,
    Facts,
    Holds,
    Policy,
    RunEvidence,
    Silence,
    WeeklyPeriod,
    deliveries,
    merge,
    next_due,
    runs,
    state,
    wanted_notices,
)
from webhooks.incidents.silences import EVERY_DAY, FOREVER
from webhooks.incidents.wording import CONTENT_DELETED, describe_closing, describe_cure

ID = id_of(1)
BI = Policy("r", (DestinationPolicy("#bi"),))
OWNER = Policy("r", (DestinationPolicy("#bi"), DestinationPolicy("owner", failures=2)))
SMS = Policy("r", (DestinationPolicy("#bi"), DestinationPolicy("sms", after=timedelta(minutes=30))))
GRACE = Policy("r", (DestinationPolicy("#bi", grace=timedelta(minutes=45)),))
LATE_SMS = Policy("r", (DestinationPolicy("sms", failures=2, after=timedelta(minutes=30)),))
REPEAT = Policy("r", (DestinationPolicy("#bi"),), repeat=timedelta(hours=4))
NIGHT = WeeklyPeriod(time(22), time(6, 30), EVERY_DAY, UTC)
QUIET = Policy("r", (DestinationPolicy("#bi"),), quiet=NIGHT)
QUIET_SMS = Policy("r", (DestinationPolicy("sms", after=timedelta(minutes=30)),), quiet=NIGHT)
QUIET_REPEAT = Policy("r", (DestinationPolicy("#bi"),), quiet=NIGHT, repeat=timedelta(hours=4))


def silence(start: str, end: str | None, **matchers: str) -> Silence:
    """Return a silence of that day."""
    patterns = {name: (pattern,) for name, pattern in matchers.items()}
    return Silence("7", at(start), at(end) if end else None, "Ann", "maintenance", patterns)


def steps(text: str, *acts: Act) -> list[tuple[datetime, RunEvidence | Act]]:
    """Return evidence and acts that arrive at their own times."""
    found: list[tuple[datetime, RunEvidence | Act]] = [(one.at, one) for one in history(text)]
    return sorted([*found, *((one.at, one) for one in acts)], key=lambda pair: pair[0])


TIMELINES = {
    "one message, edited by counts and by the recovery": (
        BI,
        steps("F 2:00, F 3:00, S 4:14"),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Failing, 2 failures in a row",
            "04:14 #bi edit: Recovered after 2 h 14 min, 2 failures",
            "04:14 #bi reply: Recovered after 2 h 14 min. The next run succeeded.",
        ],
    ),
    "an acknowledgement ends the notifications until it closes": (
        SMS,
        steps("F 2:00, F 3:00, S 4:00", act("acknowledge", "2:20", ID)),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:20 #bi edit: Failing, 1 failure, acknowledged by Ann",
            "02:20 #bi reply: Acknowledged by Ann",
            "03:00 #bi edit: Failing, 2 failures in a row, acknowledged by Ann",
            "04:00 #bi edit: Recovered after 2 h, 2 failures",
            "04:00 #bi reply: Recovered after 2 h. The next run succeeded.",
        ],
    ),
    "it escalates after 30 minutes without an acknowledgement": (
        SMS,
        steps("F 2:00, S 4:00"),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:30 sms post!: Failing, 1 failure",
            "02:30 #bi reply: Also notified: sms",
            "04:00 #bi edit: Recovered after 2 h, 1 failure",
            "04:00 sms edit: Recovered after 2 h, 1 failure",
            "04:00 #bi reply: Recovered after 2 h. The next run succeeded.",
            "04:00 sms reply: Recovered after 2 h. The next run succeeded.",
        ],
    ),
    "it does not escalate if it closes in time": (
        SMS,
        steps("F 2:00, S 2:29"),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:29 #bi edit: Recovered after 29 min, 1 failure",
            "02:29 #bi reply: Recovered after 29 min. The next run succeeded.",
        ],
    ),
    "a destination with grace is notified if the next run fails as well": (
        GRACE,
        steps("F 2:00, F 2:10, S 4:00"),
        (),
        [
            "02:10 #bi post!: Failing, 2 failures in a row",
            "04:00 #bi edit: Recovered after 2 h, 2 failures",
            "04:00 #bi reply: Recovered after 2 h. The next run succeeded.",
        ],
    ),
    "a destination with grace is notified if no run succeeds in time": (
        GRACE,
        steps("F 2:00, S 4:00"),
        (),
        [
            "02:45 #bi post!: Failing, 1 failure",
            "04:00 #bi edit: Recovered after 2 h, 1 failure",
            "04:00 #bi reply: Recovered after 2 h. The next run succeeded.",
        ],
    ),
    "a destination with grace is not notified of what heals itself": (GRACE, steps("F 2:00, S 2:44"), (), []),
    "it escalates when a snooze ends": (
        SMS,
        steps("F 2:00", act("snooze", "2:10", ID, "4:10")),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:10 #bi edit: Failing, 1 failure, snoozed by Ann",
            "02:10 #bi reply: Snoozed by Ann for 2 h",
            "04:10 sms post!: Failing, 1 failure",
            "04:10 #bi reply!: No longer snoozed: Failing, 1 failure",
            "04:10 #bi edit: Failing, 1 failure",
            "04:10 #bi reply: Also notified: sms",
        ],
    ),
    "the owner is notified from the second failure in a row on": (
        OWNER,
        steps("F 2:00, S 3:00, F 4:00, F 5:00"),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Recovered after 1 h, 1 failure",
            "03:00 #bi reply: Recovered after 1 h. The next run succeeded.",
            "04:00 #bi post!: Failing, 1 failure",
            "05:00 owner post!: Failing, 2 failures in a row",
            "05:00 #bi edit: Failing, 2 failures in a row",
            "05:00 #bi reply: Also notified: owner",
        ],
    ),
    "30 minutes after the second failure": (
        LATE_SMS,
        steps("F 2:00, F 3:00"),
        (),
        ["03:30 sms post!: Failing, 2 failures in a row"],
    ),
    "again every four hours while it is open": (
        REPEAT,
        steps("F 2:00, F 3:00, S 11:00"),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Failing, 2 failures in a row",
            "06:00 #bi reply!: Still failing, 2 failures in a row",
            "10:00 #bi reply!: Still failing, 2 failures in a row",
            "11:00 #bi edit: Recovered after 9 h, 2 failures",
            "11:00 #bi reply: Recovered after 9 h. The next run succeeded.",
        ],
    ),
    "not again while it is acknowledged": (
        REPEAT,
        steps("F 2:00, S 19:00", act("acknowledge", "5:00", ID, "12:00")),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "05:00 #bi edit: Failing, 1 failure, acknowledged by Ann",
            "05:00 #bi reply: Acknowledged by Ann for 7 h",
            "12:00 #bi reply!: No longer acknowledged: Failing, 1 failure",
            "12:00 #bi edit: Failing, 1 failure",
            "14:00 #bi reply!: Still failing, 1 failure",
            "18:00 #bi reply!: Still failing, 1 failure",
            "19:00 #bi edit: Recovered after 17 h, 1 failure",
            "19:00 #bi reply: Recovered after 17 h. The next run succeeded.",
        ],
    ),
    "a failure within 30 minutes of closing is the same incident; only the first one is visible": (
        BI,
        steps("F 2:00, S 3:00, F 3:20, S 3:30, F 3:40, S 3:50"),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Recovered after 1 h, 1 failure",
            "03:00 #bi reply: Recovered after 1 h. The next run succeeded.",
            "03:20 #bi reply!: Failing again",
            "03:20 #bi edit: Failing, 2 failures, 1 in a row, flapping",
            "03:30 #bi edit: Recovered after 1 h 30 min, 2 failures",
            "03:40 #bi edit: Failing, 3 failures, 1 in a row, flapping",
            "03:50 #bi edit: Recovered after 1 h 50 min, 3 failures",
            "04:20 #bi reply: Recovered after 1 h 50 min. The next run succeeded.",
        ],
    ),
    "an acknowledgement that crosses the closing changes nothing": (
        BI,
        steps("F 2:00, S 3:00", act("acknowledge", "3:01", ID)),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Recovered after 1 h, 1 failure",
            "03:00 #bi reply: Recovered after 1 h. The next run succeeded.",
        ],
    ),
    "Tableau's clock is ahead: nothing waits for that": (
        SMS,
        [(at("2:00"), piece("failed", "2:00", 1)), (at("2:10"), piece("succeeded", "2:40", 2))],
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:10 #bi edit: Recovered after 40 min, 1 failure",
            "02:10 #bi reply: Recovered after 40 min. The next run succeeded.",
        ],
    ),
    "a recovery that arrives late closes what was escalated": (
        SMS,
        [(at("2:00"), piece("failed", "2:00", 1)), (at("9:00"), piece("succeeded", "3:00", 2))],
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:30 sms post!: Failing, 1 failure",
            "02:30 #bi reply: Also notified: sms",
            "09:00 #bi edit: Recovered after 1 h, 1 failure",
            "09:00 sms edit: Recovered after 1 h, 1 failure",
            "09:00 #bi reply: Recovered after 1 h. The next run succeeded.",
            "09:00 sms reply: Recovered after 1 h. The next run succeeded.",
        ],
    ),
    "it opens again during a snooze, which alerts no one": (
        BI,
        steps("F 2:00, S 3:00, F 3:20", act("snooze", "2:10", ID, "4:00")),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:10 #bi edit: Failing, 1 failure, snoozed by Ann",
            "02:10 #bi reply: Snoozed by Ann for 1 h 50 min",
            "03:00 #bi edit: Recovered after 1 h, 1 failure",
            "03:00 #bi reply: Recovered after 1 h. The next run succeeded.",
            "03:20 #bi reply: Failing again",
            "03:20 #bi edit: Failing, 2 failures, 1 in a row, flapping, snoozed by Ann",
            "04:00 #bi reply!: No longer snoozed: Failing, 2 failures, 1 in a row, flapping",
            "04:00 #bi edit: Failing, 2 failures, 1 in a row, flapping",
        ],
    ),
    "late evidence shows that an escalation was not due: its message is kept up to date": (
        SMS,
        [
            (at("2:00"), piece("failed", "2:00", 1)),
            (at("3:00"), piece("succeeded", "2:10", 2)),
        ],
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "02:30 sms post!: Failing, 1 failure",
            "02:30 #bi reply: Also notified: sms",
            "03:00 #bi edit: Recovered after 10 min, 1 failure",
            "03:00 sms edit: Recovered after 10 min, 1 failure",
            "03:00 #bi reply: Recovered after 10 min. The next run succeeded.",
            "03:00 sms reply: Recovered after 10 min. The next run succeeded.",
        ],
    ),
    "closed by hand, and refreshed by hand": (
        BI,
        steps("F 2:00, F 5:00, S 6:00", act("close", "3:00", ID), act("refresh", "5:50", id_of(2))),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Closed after 1 h, 1 failure",
            "03:00 #bi reply: Closed by Ann after 1 h.",
            "05:00 #bi post!: Failing, 1 failure, 2 in a row",
            "05:50 #bi edit: Failing, 1 failure, 2 in a row",
            "06:00 #bi edit: Recovered after 1 h, 1 failure",
            "06:00 #bi reply: Recovered after 1 h. The refresh by Ann succeeded.",
        ],
    ),
    "quiet hours hold the opening until their end": (
        QUIET,
        steps("F 23:00, F 24:00"),
        (),
        ["06:30 #bi post!: Failing, 2 failures in a row"],
    ),
    "an incident that opens and closes in quiet hours is not sent": (QUIET, steps("F 23:00, S 24:00"), (), []),
    "a recovery in quiet hours is shown at their end": (
        QUIET,
        steps("F 21:00, S 23:00"),
        (),
        [
            "21:00 #bi post!: Failing, 1 failure",
            "06:30 #bi edit: Recovered after 2 h, 1 failure",
            "06:30 #bi reply: Recovered after 2 h. The next run succeeded.",
        ],
    ),
    "an escalation that becomes due in quiet hours is sent at their end": (
        QUIET_SMS,
        steps("F 21:50"),
        (),
        ["06:30 sms post!: Failing, 1 failure"],
    ),
    "reminders of quiet hours become one at their end": (
        QUIET_REPEAT,
        steps("F 17:00, S 32:00"),
        (),
        [
            "17:00 #bi post!: Failing, 1 failure",
            "21:00 #bi reply!: Still failing, 1 failure",
            "06:30 #bi reply!: Still failing, 1 failure",
            "08:00 #bi edit: Recovered after 15 h, 1 failure",
            "08:00 #bi reply: Recovered after 15 h. The next run succeeded.",
        ],
    ),
    "a silence holds what matches": (
        BI,
        steps("F 2:00"),
        (silence("1:00", "5:00", resource_name="sal*"),),
        ["05:00 #bi post!: Failing, 1 failure"],
    ),
    "a silence does not hold what does not match": (
        BI,
        steps("F 2:00"),
        (silence("1:00", "5:00", resource_name="Orders"), silence("1:00", "5:00", kind="missed")),
        ["02:00 #bi post!: Failing, 1 failure"],
    ),
    "silences that follow each other are one": (
        BI,
        steps("F 2:00"),
        (silence("1:00", "5:00"), silence("5:00", "7:00"), silence("6:00", "6:30")),
        ["07:00 #bi post!: Failing, 1 failure"],
    ),
    "a silence without an end holds all": (BI, steps("F 2:00, F 9:00"), (silence("1:00", None),), []),
    "an incident that is found late is sent at once, with its recovery": (
        BI,
        [(at("9:00"), piece("failed", "2:00", 1)), (at("9:05"), piece("succeeded", "3:00", 2))],
        (),
        [
            "09:00 #bi post!: Failing, 1 failure",
            "09:05 #bi edit: Recovered after 1 h, 1 failure",
            "09:05 #bi reply: Recovered after 1 h. The next run succeeded.",
        ],
    ),
    "an incident that is found after its end has no message": (
        SMS,
        [(at("9:00"), piece("succeeded", "3:00", 2)), (at("9:05"), piece("failed", "2:00", 1))],
        (),
        [],
    ),
    "an incident that is found after its end has a message if it opens again": (
        BI,
        [
            (at("3:01"), piece("succeeded", "3:00", 2)),
            (at("3:05"), piece("failed", "2:00", 1)),
            (at("3:10"), piece("failed", "3:10", 3)),
            (at("4:00"), piece("succeeded", "4:00", 4)),
        ],
        (),
        [
            "03:10 #bi post!: Failing, 2 failures, 1 in a row, flapping",
            "04:00 #bi edit: Recovered after 2 h, 2 failures",
            "04:30 #bi reply: Recovered after 2 h. The next run succeeded.",
        ],
    ),
    "an incident that is found after its end has no message at the end of a silence": (
        BI,
        [(at("9:00"), piece("succeeded", "3:00", 2)), (at("9:05"), piece("failed", "2:00", 1))],
        (silence("1:00", "10:00"),),
        [],
    ),
    "a failure that is found after its end is counted in the message that is there": (
        BI,
        [
            (at("2:00"), piece("failed", "2:00", 1)),
            (at("3:00"), piece("succeeded", "3:00", 2)),
            (at("3:05"), piece("failed", "1:00", 3)),
        ],
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Recovered after 1 h, 1 failure",
            "03:00 #bi reply: Recovered after 1 h. The next run succeeded.",
            "03:05 #bi edit: Recovered after 2 h, 2 failures",
        ],
    ),
    "failures that are found after the end make no escalation by their number": (
        OWNER,
        [
            (at("2:00"), piece("failed", "2:00", 1)),
            (at("4:00"), piece("succeeded", "4:00", 2)),
            (at("4:05"), piece("failed", "3:00", 3)),
        ],
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "04:00 #bi edit: Recovered after 2 h, 1 failure",
            "04:00 #bi reply: Recovered after 2 h. The next run succeeded.",
            "04:05 #bi edit: Recovered after 2 h, 2 failures",
        ],
    ),
    "a person who closes a flapping incident ends it at once": (
        BI,
        steps("F 2:00, S 3:00, F 3:20", act("close", "3:25", ID)),
        (),
        [
            "02:00 #bi post!: Failing, 1 failure",
            "03:00 #bi edit: Recovered after 1 h, 1 failure",
            "03:00 #bi reply: Recovered after 1 h. The next run succeeded.",
            "03:20 #bi reply!: Failing again",
            "03:20 #bi edit: Failing, 2 failures, 1 in a row, flapping",
            "03:25 #bi edit: Closed after 1 h 25 min, 2 failures",
            "03:25 #bi reply: Closed by Ann after 1 h 25 min.",
        ],
    ),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline(name: str) -> None:
    """Events and acts at these times lead to these messages, edits and replies (! alerts people)."""
    policy, arrivals, silences, expected = TIMELINES[name]
    assert play(arrivals, policy, silences).sent == expected


def test_each_failure_as_a_message_of_its_own_needs_no_notices() -> None:
    """With `each = true` the rule's notify jobs send the messages."""
    policy = Policy("r", BI.destinations, each=True)
    (incident,) = state(runs(history("F 2:00")), [], at("3:00"))
    assert wanted_notices(incident, policy, at("3:00")) == []
    assert next_due(incident, policy, at("3:00")) is None


def test_escalation_that_was_not_sent_is_not_claimed() -> None:
    """If the server was down until after the recovery, nothing escalates, and no reply says so."""
    known = merge(runs(history("F 2:00")), piece("succeeded", "4:00", 2, recorded_at=at("9:00")))
    (incident,) = state(known, [], at("9:00"))
    wanted = wanted_notices(incident, SMS, at("9:00"), notified=["#bi"])
    found = deliveries(wanted, {("#bi", "message"): 1})
    assert [(one.notice.destination, one.action, one.urgency) for one in found] == [
        ("#bi", "edit", "close"),
        ("#bi", "reply", "close"),
    ]


def test_first_message_covers_the_replies_before_it() -> None:
    """A message that is sent late shows everything, so that no replies follow about what was before."""
    (incident,) = state(runs(history("F 2:00")), [act("acknowledge", "2:20", ID)], at("3:00"))
    (post,) = deliveries(wanted_notices(incident, BI, at("3:00")), {})
    assert (post.action, post.urgency, len(post.covers)) == ("post", "open", 1)


def test_held_notice_says_until_when() -> None:
    """A held notice is wanted, with the end of the silence, but is not delivered."""
    (incident,) = state(runs(history("F 2:00")), [], at("3:00"))
    for end, until in (("5:00", at("5:00")), (None, FOREVER)):
        notices = wanted_notices(incident, BI, at("3:00"), [silence("1:00", end)])
        assert [one.held_until for one in notices] == [until]
        assert deliveries(notices, {}) == []
    (edit,) = wanted_notices(incident, BI, at("3:00"), [silence("2:30", "5:00")])
    assert edit.held_until == at("5:00")
    (due,) = wanted_notices(incident, BI, at("5:00"), [silence("1:00", "5:00")])
    assert (due.due_at, due.at, due.summary_at, due.held_until) == (at("2:00"), at("5:00"), at("5:00"), None)


def test_opening_is_sent_before_closing_before_acknowledging_before_counting() -> None:
    """Notices are sorted by urgency, so that a rate limit delays counts and not failures."""
    policy = Policy("r", (DestinationPolicy("#a"), DestinationPolicy("#b", failures=2), DestinationPolicy("#c")))
    (incident,) = state(runs(history("F 2:00, F 3:00")), [], at("3:00"))
    shown = dict.fromkeys([("#a", "message"), ("#b", "message")], incident.version ^ 1)
    found = deliveries(wanted_notices(incident, policy, at("3:00")), shown)
    assert [(one.notice.destination, one.urgency) for one in found[:2]] == [("#c", "open"), ("#a", "count")]


def test_note_is_shown_as_soon_as_an_acknowledgement() -> None:
    """A person waits for the edit that shows a note, also if the incident is still open; counts may wait."""
    policy = Policy("r", (DestinationPolicy("#a"),))
    known, note = runs(history("F 2:00")), replace(act("note", "2:10", ID), text="a known problem")
    (before,), (after,) = state(known, [], at("2:10")), state(known, [note], at("2:10"))
    found = deliveries(wanted_notices(after, policy, at("2:10")), {("#a", "message"): before.version})
    assert [(one.action, one.urgency, one.notice.text) for one in found] == [
        ("edit", "acknowledge", "Failing, 1 failure"),
        ("reply", "acknowledge", "Note by Ann: a known problem"),
    ]


def test_closing_in_words() -> None:
    """Every way in which an incident closes is one or two sentences, and a label with a few words in the message."""
    (run,) = runs([piece("succeeded", "3:00", 1)])
    (listed,) = runs([replace(piece("succeeded", "3:00", None), source="job list", job_luid="j")])
    cure = partial(Cure, at=at("3:00"), recorded_at=at("3:00"))
    deleted = replace(act("close", "3:00", ID), text=CONTENT_DELETED)
    (found,) = state(runs(history("F 2:00, S 3:00")), [], at("3:00"))
    incident = replace(found, opened_at=at("3:00") - timedelta(seconds=34))
    words = [
        (describe_closing(incident, at("3:00"), one), describe_cure(one))
        for one in (
            cure("run", run=run),
            cure("run", run=listed),
            cure("refresh", by="Ann", run=run),
            cure("act", by="Ann", act=act("close", "3:00", ID)),
            cure("act", by="", act=deleted),
            cure("finding", text="enabled again"),
        )
    ]
    assert words == [
        ("Recovered after 34 s. The next run succeeded.", ("Cured by", "the next run")),
        ("Recovered after 34 s. Tableau's job list shows that the next run succeeded.", ("Cured by", "the next run")),
        ("Recovered after 34 s. The refresh by Ann succeeded.", ("Cured by", "a refresh by Ann")),
        ("Closed by Ann after 34 s.", ("Closed by", "Ann")),
        ("Closed after 34 s. The content was deleted.", ("Closed because", "the content was deleted")),
        ("Recovered after 34 s. Enabled again.", ("Closed because", "enabled again")),
    ]


@pytest.mark.parametrize(
    ("hours", "days", "zone", "clock", "expected"),
    [
        # Monday 22:00 to Tuesday 06:30; the 26th is a Thursday.
        ("22:00-06:30", {3}, "UTC", "23:00", "30:30"),
        ("22:00-06:30", {3}, "UTC", "30:29", "30:30"),
        ("22:00-06:30", {3}, "UTC", "30:30", None),
        ("22:00-06:30", {3}, "UTC", "21:59", None),
        ("22:00-06:30", {4}, "UTC", "23:00", None),
        ("22:00-06:30", {2}, "UTC", "3:00", "6:30"),
        # Berlin is an hour ahead of UTC in November.
        ("22:00-06:30", {3}, "Europe/Berlin", "21:00", "29:30"),
        ("22:00-06:30", {3}, "Europe/Berlin", "20:59", None),
        ("09:00-17:00", {3}, "America/New_York", "14:00", "22:00"),
        # All day; two days that follow each other are one.
        ("00:00-00:00", {3}, "UTC", "12:00", "24:00"),
        ("00:00-00:00", {3, 4}, "UTC", "12:00", "48:00"),
    ],
)
def test_weekly_times(hours: str, days: set[int], zone: str, clock: str, expected: str | None) -> None:
    """Quiet hours are local times on the weekdays on which they begin, and may end on the next day."""
    start, end = map(time.fromisoformat, hours.split("-"))
    period = WeeklyPeriod(start, end, frozenset(days), ZoneInfo(zone))
    assert Holds(quiet=period).end(at(clock)) == (at(expected) if expected else None)


@pytest.mark.parametrize(
    ("day", "utc", "expected"),
    [
        # In Berlin the clock goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October.
        ("2026-03-28", "2026-03-28T21:00", "2026-03-29T04:30"),
        ("2026-10-24", "2026-10-24T20:00", "2026-10-25T05:30"),
    ],
)
def test_quiet_hours_end_at_the_local_time_when_the_clock_changes(day: str, utc: str, expected: str) -> None:
    """22:00 to 06:30 is an hour shorter or longer in these nights."""
    period = WeeklyPeriod(time(22), time(6, 30), EVERY_DAY, ZoneInfo("Europe/Berlin"))
    begin = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert day in utc
    assert Holds(quiet=period).end(begin) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_quiet_all_week_holds_for_ever() -> None:
    """Quiet hours without a gap have no end."""
    assert Holds(quiet=WeeklyPeriod(time(0), time(0), EVERY_DAY, UTC)).end(at("3:00")) == FOREVER


def test_weekly_silence_holds_only_within_its_period() -> None:
    """A recurring silence is in force at its times between its start and its end."""
    one = Silence("7", at("4:00"), at("52:00"), "Ann", "", weekly=WeeklyPeriod(time(2), time(5), EVERY_DAY, UTC))
    ends = {clock: Holds((one,)).end(at(clock)) for clock in ("3:00", "4:30", "6:00", "26:00", "51:00", "52:30")}
    assert ends == {
        "3:00": None,
        "4:30": at("5:00"),
        "6:00": None,
        "26:00": at("29:00"),
        "51:00": at("52:00"),
        "52:30": None,
    }
    assert Holds((one,)).causes(at("4:30")) == ["silence 7 by Ann ()"]
    assert Holds((one,)).causes(at("6:00")) == []
    quiet = WeeklyPeriod(time(5), time(6), EVERY_DAY, UTC)
    assert Holds((one,), quiet).causes(at("4:30")) == ["silence 7 by Ann ()", "quiet hours"]
    assert Holds((one,), quiet).causes(at("5:30")) == ["quiet hours"]
    assert Holds((Silence("8", at("4:00"), None, "Ben", "backup"),)).causes(at("5:00")) == ["silence 8 by Ben (backup)"]


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ({}, True),
        ({"site": ("s",)}, True),
        ({"site": ("Sales EU",)}, True),
        ({"site": ("t*",)}, False),
        ({"project": ("Finance/*",)}, True),
        ({"project": ("!Finance*",)}, False),
        ({"resource_name": ("Sal?s", "Orders")}, True),
        ({"resource_luid": ("w",)}, True),
        ({"kind": ("failing",)}, True),
        ({"kind": ("missed",)}, False),
        ({"reason_class": ("network", "unknown")}, True),
        ({"tags": ("gold",), "kind": ("failing",)}, True),
        ({"tags": ("silver",), "kind": ("failing",)}, False),
    ],
)
def test_matchers(matchers: dict[str, tuple[str, ...]], expected: bool) -> None:
    """All matchers of a silence must match the incident or what Tableau says of its resource."""
    (incident,) = state(runs(history("F 2:00")), [], at("3:00"))
    facts = Facts("Sales EU", ("Reports", "Finance/Reports"), ("gold", "daily"))
    one = Silence("7", at("1:00"), None, "Ann", "", matchers)
    assert one.matches(incident, facts) is expected
