"""Test that the stored runs are those of all evidence, whatever part of it is read and merged again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from tests.incidents.building import at, job, piece
from webhooks.inbox import Inbox
from webhooks.incidents import RunEvidence
from webhooks.incidents.run import runs


def random_evidence(random: Random) -> Sequence[RunEvidence]:
    """Return events and jobs about one workbook: some reported several times or out of step, some incomplete."""
    found: list[RunEvidence] = []
    seconds = 0
    for number in range(1, 13):
        # Refreshes follow each other within seconds, after the tolerance, or after hours.
        seconds += random.choice([20, 100, 500, 900, 5000])
        start, end = f"0:0:{seconds}", f"0:0:{seconds + random.choice([0, 30, 400, 2000])}"
        outcome = random.choice(["succeeded", "failed", "failed", "cancelled"])
        luid = f"j{random.randrange(1, number + 1)}"
        late = at(end) + timedelta(seconds=random.randrange(-150, 150))
        found += random.choices(
            [
                piece("running", start, number * 10),
                piece(outcome, end, number * 10 + 1),
                replace(piece(outcome, end, number * 10 + 2, source="reconciled"), ended_at=late),
                job(luid, outcome, start, end),
                job(luid, "running", start, None),
                replace(job(luid, outcome, start, end), started_at=None),
            ],
            k=random.randrange(1, 4),
        )
    return found


@pytest.mark.parametrize("seed", range(8))
def test_stored_runs_are_those_of_all_evidence(box: Inbox, seed: int) -> None:
    """Evidence in any order and in portions of any size is stored as the same runs as if all of it came at once."""
    random = Random(seed)
    evidence = [replace(one, site_luid=f"s{case}") for case in range(5) for one in random_evidence(random)]
    arriving = random.sample(evidence, len(evidence)) if seed % 2 else list(evidence)
    while arriving:
        size = random.choice([1, 2, 20])
        box.incidents.learn(*arriving[:size])
        del arriving[:size]
    stored = sorted(box.runs.list(limit=1000), key=lambda run: (run.site_luid, run.order))
    assert stored == sorted(runs(evidence), key=lambda run: (run.site_luid, run.order))
