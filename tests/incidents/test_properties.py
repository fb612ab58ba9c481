"""Incidents and messages do not depend on the order, repetition and loss of evidence; wrong engines are noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, time
from itertools import pairwise, permutations, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.incidents.building import at, history
from tests.incidents.properties import (
    END,
    POLICY,
    as_it_happened,
    check_arrival,
    check_silence,
    random_history,
    random_silence,
    view,
    with_repetitions,
    without_starts,
)
from tests.incidents.timeline import RIGHT
from tests.incidents.wrong_engines import WRONG, check_grouping
from webhooks.incidents import RunEvidence, WeeklyPeriod, deliveries, next_due, runs, state, wanted_notices
from webhooks.incidents.notices import MESSAGE

GAPS = (10, 40)
LENGTHS = st.integers(0, 8)


def short_histories(length: int) -> list[str]:
    """Return all histories of failures and successes with short and long gaps between them."""
    found = []
    for outcomes in product("FS", repeat=length):
        for gaps in product(GAPS, repeat=length - 1):
            minutes = [60]
            for gap in gaps:
                minutes.append(minutes[-1] + gap)
            found.append(", ".join(f"{outcome} 0:{minute}" for outcome, minute in zip(outcomes, minutes, strict=True)))
    return found


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_order_of_short_histories(length: int) -> None:
    """All orders of arrival of all short histories lead to the same incidents and messages."""
    for text in short_histories(length):
        for number, order in enumerate(permutations(history(text))):
            check_arrival(history(text), order, on_time=number == 0)


@pytest.mark.second_stage
@pytest.mark.timeout(900)
@pytest.mark.parametrize("length", [4, 5])
def test_every_order_of_longer_histories(length: int) -> None:
    """All orders of arrival of all longer histories lead to the same incidents and messages."""
    for text in short_histories(length):
        for number, order in enumerate(permutations(history(text))):
            check_arrival(history(text), order, on_time=number == 0)


@given(st.integers(0, 2**32), LENGTHS)
@settings(max_examples=60, deadline=None)
def test_any_order_repetition_and_loss(seed: int, length: int) -> None:
    """Random histories with jobs and acts: order and repetition change nothing, nor does the loss of starts."""
    check_random(Random(seed), length)


@pytest.mark.second_stage
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(10))
def test_100_000_random_histories(part: int) -> None:
    """The same holds for 100,000 histories."""
    random = Random(part)
    for _ in range(10_000):
        check_random(random, random.randrange(9))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_engine_is_caught(name: str) -> None:
    """The same properties reject each wrong engine within 200 random histories, and accept the right one."""
    wrong, check = WRONG[name]
    for seed in range(20):
        check(Random(seed), RIGHT)
    engine = wrong()

    def check_all() -> None:
        for seed in range(200):
            check(Random(seed), engine)

    with pytest.raises(AssertionError):
        check_all()


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_grouping_loses_no_line(seed: int) -> None:
    """Every opening is shown once, alone or in a group, whatever the order, and a group only grows."""
    check_grouping(Random(seed), RIGHT)


def check_random(random: Random, length: int) -> None:
    """Check all properties with one random history."""
    items = random_history(random, length)
    check_arrival(items, with_repetitions(random, items))
    check_silence(items, random_silence(random))
    evidence = [item for item in items if isinstance(item, RunEvidence)]
    acts = [item for item in items if not isinstance(item, RunEvidence)]
    ends = [item for item in without_starts(items) if isinstance(item, RunEvidence)]
    found = [state(runs(pieces), acts, END) for pieces in (evidence, ends)]
    # Only whether a refresh by hand was the cure may depend on when the run began.
    assert [view(one)[:4] for one in found[0]] == [view(one)[:4] for one in found[1]]


def test_histories_are_in_the_order_of_time() -> None:
    """The generated histories happen within a day, so that everything has happened when it arrives late."""
    for seed in range(50):
        steps = as_it_happened(random_history(Random(seed), 8))
        assert all(earlier <= later for (earlier, _), (later, _) in pairwise(steps))
        assert all(time < at("30:00") for time, _ in steps)


def check_next_due(random: Random) -> None:
    """Check at some random times that nothing is to be sent before the next time that `next_due` gives."""
    items = random_history(random, random.randrange(1, 9))
    acts = [item for item in items if not isinstance(item, RunEvidence)]
    quiet = WeeklyPeriod(time(random.randrange(24)), time(random.randrange(24)), frozenset({3, 4}), UTC)
    policy = replace(POLICY, quiet=random.choice((None, quiet)))
    silences = [random_silence(random) for _ in range(random.randrange(3))]
    for _ in range(5):
        now = at(f"0:{random.randrange(1500)}")
        known = runs(item for item in items if isinstance(item, RunEvidence) and item.at <= now)
        arrived = [act for act in acts if act.at <= now]
        for incident in state(known, arrived, now):
            sent = wanted_notices(incident, policy, now, silences)
            shown = {(one.destination, one.key): one.version for one in sent if one.held_until is None}
            due = next_due(incident, policy, now, silences) or END
            later = now + (due - now) * random.choice((0.01, 0.5, 0.99))
            (then,) = [one for one in state(known, arrived, later) if one.id == incident.id]
            notified = [to for to, key in shown if key == MESSAGE]
            assert deliveries(wanted_notices(then, policy, later, silences, notified=notified), shown) == []


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_nothing_is_due_before_the_next_time(seed: int) -> None:
    """A server that wakes up only at these times sends everything on time, with silences and quiet hours as well."""
    check_next_due(Random(seed))
