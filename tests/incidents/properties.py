"""Histories, and the properties that hold for each of them whatever the order of arrival.

A history is a list of evidence and acts about one workbook. It is played as it happened, and again with everything
arriving late, in another order and repeatedly.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.incidents.building import act, at, id_of, job, piece
from tests.incidents.timeline import RIGHT, Engine, Played, play
from webhooks.incidents import (
    Act,
    DestinationPolicy,
    Incident,
    Policy,
    RunEvidence,
    Silence,
    runs,
    state,
)
from webhooks.incidents.wording import describe

Item = RunEvidence | Act

POLICY = Policy(
    "r",
    (DestinationPolicy("#bi"), DestinationPolicy("sms", after=timedelta(minutes=30)), DestinationPolicy("owner", 2)),
    repeat=timedelta(hours=4),
)
# Everything has happened by then, and arrives one second after the other.
LATE = at("30:00")
END = at("31:00")
OUTCOMES = ("failed", "failed", "failed", "succeeded", "succeeded", "cancelled", "running")
ACTS = ("acknowledge", "acknowledge", "snooze", "close", "note", "refresh")


def random_history(random: Random, length: int) -> list[Item]:
    """Return evidence of runs in the course of a day, some of it from the job list, and acts on their failures."""
    history: list[Item] = []
    minute = random.randrange(60)
    failures: list[tuple[int, int]] = []
    while len(history) < length:
        number = len(history) + 1
        minute += random.choice((5, 15, 29, 31, 60, 170))
        clock = f"0:{minute}"
        if failures and random.random() < 0.3:
            kind = random.choice(ACTS)
            ends = kind == "snooze" or (kind == "acknowledge" and random.random() < 0.5)
            until = f"0:{minute + random.choice((20, 90, 400))}" if ends else None
            about, _ = random.choice(failures)
            history.append(act(kind, clock, id_of(about), until, id=f"act {number}"))
            continue
        outcome = random.choice(OUTCOMES)
        history.append(piece(outcome, f"{clock}:{random.randrange(59)}", number))
        if outcome == "failed":
            failures.append((number, minute))
        if outcome != "running" and random.random() < 0.25 and len(history) < length:
            reason = "Login failed" if outcome == "failed" else ""
            history.append(
                job(f"j{number}", outcome, f"0:{minute - 4}", f"{clock}:{random.randrange(59)}", reason=reason)
            )
    return history


def random_silence(random: Random) -> Silence:
    """Return a silence of up to ten hours."""
    start = random.randrange(600)
    return Silence("7", at(f"0:{start}"), at(f"0:{start + random.randrange(1, 600)}"), "Ann", "")


def time_of(item: Item) -> datetime:
    """Return when the item happened."""
    return item.at


def as_it_happened(history: Sequence[Item]) -> list[tuple[datetime, Item]]:
    """Return the history with everything arriving when it happens."""
    return sorted(((time_of(item), item) for item in history), key=lambda pair: pair[0])


def arriving_late(order: Sequence[Item]) -> list[tuple[datetime, Item]]:
    """Return the items arriving in this order after all of it has happened."""
    return [(LATE + timedelta(seconds=number), item) for number, item in enumerate(order)]


def view(incident: Incident) -> tuple[Any, ...]:
    """Return all of an incident that must not depend on the order of arrival."""
    cure = incident.cure and (incident.cure.kind, incident.cure.at, incident.cure.by)
    acts = sorted(one.id for one in incident.acts)
    keys = [sorted(run.keys) for run in incident.runs]
    times = (incident.opened_at, incident.closed_at, incident.quiet_until)
    counts = (incident.failures, incident.in_a_row, incident.flapping, incident.reason, incident.quiet_by)
    return (sorted(incident.ids), incident.state, times, counts, cure, acts, keys, incident.version)


def check_arrival(
    history: Sequence[Item], order: Sequence[Item], engine: Engine = RIGHT, *, on_time: bool = True
) -> None:
    """Check that this order of arrival leads to the incidents and messages of the history.

    With `on_time` it is also played as it happened.
    """
    evidence = [item for item in history if isinstance(item, RunEvidence)]
    acts = [item for item in history if isinstance(item, Act)]
    expected = state(runs(evidence), acts, END)
    _check_last_run(expected, evidence, acts)
    for steps in (as_it_happened(history), arriving_late(order))[0 if on_time else 1 :]:
        played = play(steps, POLICY, until=END, engine=engine)
        assert [view(one) for one in played.incidents] == [view(one) for one in expected]
        _check_messages(played)
        if steps[:1] and steps[0][0] < LATE:
            _check_quiet(played)
            assert len(_messages(played, "#bi")) == len(played.incidents)


def _check_last_run(incidents: Sequence[Incident], evidence: Sequence[RunEvidence], acts: Sequence[Act]) -> None:
    """Check the state against the rule: the run with the greatest end decides, and a closing by hand after it."""
    ended = [run for run in runs(evidence) if run.ended_at and run.outcome in {"failed", "succeeded"}]
    last = max(ended, key=lambda run: run.order, default=None)
    is_failing = last is not None and last.outcome == "failed"
    by_hand = bool(last) and any(one.kind == "close" and one.at >= last.at for one in acts)  # type: ignore[union-attr]
    is_open = bool(incidents) and incidents[-1].state != "closed"
    assert is_open == is_failing or (is_failing and by_hand)
    assert all(one.state == "closed" for one in incidents[:-1])
    failed = [run for run in ended if run.outcome == "failed"]
    assert sum(one.failures for one in incidents) == len(failed)


def _check_messages(played: Played) -> None:
    """Check that each incident has its message, that all are up to date, and that none is about anything else.

    One that had closed before the server learned of it, or of its end, has none.
    """
    for incident in played.incidents:
        has_message = bool(incident.ids & set(_messages(played, "#bi")))
        assert has_message or not incident.is_open
        assert not has_message or incident.ids & played.opened
        for (id_, _), text in played.texts.items():
            if id_ in incident.ids:
                assert text == describe(incident)
    named = {id_ for incident in played.incidents for id_ in incident.ids}
    assert {id_ for id_, _ in played.texts} <= named


def _messages(played: Played, destination: str) -> list[str]:
    """Return the ids that the incidents of the messages at the destination had when these were posted."""
    return [id_ for id_, to in played.texts if to == destination]


def _check_quiet(played: Played) -> None:
    """Check that no one is alerted of an incident while it is acknowledged or snoozed."""
    for incident in played.incidents:
        for ping in played.pings:
            if ping.incident in incident.ids:
                spans = [span for span in incident.quiet_spans if span.start < ping.at]
                is_open = any(span.covers(ping.at) for span in incident.open_spans)
                assert not (is_open and any(span.covers(ping.at) for span in spans))


def check_silence(history: Sequence[Item], silence: Silence, engine: Engine = RIGHT) -> None:
    """Check that nothing is sent during a silence, and that afterwards every message is up to date.

    An incident that opened and closed within the silence has no message.
    """
    played = play(as_it_happened(history), POLICY, [silence], until=END, engine=engine)
    end = silence.end or END
    assert not [time for time in played.sent_at if silence.start <= time < end]
    for incident in played.incidents:
        within = all(silence.start <= span.recorded_at and span.end and span.end <= end for span in incident.open_spans)
        texts = {text for (id_, _), text in played.texts.items() if id_ in incident.ids}
        assert texts == (set() if within else {describe(incident)})


def with_repetitions(random: Random, history: Sequence[Item]) -> list[Item]:
    """Return the history in another order, with some of it repeatedly."""
    order = [*history, *random.choices(history, k=3)] if history else []
    random.shuffle(order)
    return order


def without_starts(history: Sequence[Item]) -> list[Item]:
    """Return the history without the evidence that runs have begun."""
    return [item for item in history if isinstance(item, Act) or item.ended_at]
