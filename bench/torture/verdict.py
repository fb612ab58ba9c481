"""What came of it: the message log and the inbox beside what was acknowledged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from webhooks.inbox import EventRecord, Inbox
from webhooks.job import JobState

PAGE = 500


@dataclass
class Run:
    """One run of a handler, as the message log has it: monotonic seconds; no `sent` where it died before."""

    pid: str
    began: float
    sent: float | None = None


@dataclass(frozen=True)
class Account:
    """The outcome of a scene."""

    acknowledged: int
    lost: int
    twins: int
    dead: int
    repeated: int
    unexplained: int
    overlapping: int
    ended_twice: int
    refused: int
    kills: int
    takeovers: list[float] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing kept twice, and nothing repeated but what was out before it could be written down."""
        faults = (self.lost, self.twins, self.unexplained, self.overlapping, self.ended_twice)
        return self.acknowledged > 0 and not any(faults)


def settle(inbox: Inbox, log: Path, acknowledged: set[str], *, refused: int, kills: list[tuple[float, str]]) -> Account:
    """Compares. `kills` has when (monotonic) each process was killed by the scene; others killed themselves."""
    runs, suicides = _read(log)
    records = list(_all(inbox))
    by_luid: dict[str, list[EventRecord]] = defaultdict(list)
    for record in records:
        by_luid[str(record.event.resource_luid)].append(record)
    done = {luid for luid, made in runs.items() if any(run.sent for run in made)}
    dead = {luid for luid, kept in by_luid.items() if _any_dead(kept)}
    repeated = {luid for luid, made in runs.items() if sum(run.sent is not None for run in made) > 1}
    return Account(
        acknowledged=len(acknowledged),
        lost=len(acknowledged - done - dead),
        twins=sum(len(kept) > 1 for kept in by_luid.values()),
        dead=len(dead),
        repeated=len(repeated),
        unexplained=sum(not _was_lost(by_luid[luid]) for luid in repeated),
        overlapping=sum(_overlap(made) for made in runs.values()),
        ended_twice=sum(_outcomes(record).count("done") > 1 for record in records),
        refused=refused,
        kills=len(kills) + len(suicides),
        takeovers=[took for made in runs.values() for took in _takeovers(made, kills + suicides)],
    )


def _read(log: Path) -> tuple[dict[str, list[Run]], list[tuple[float, str]]]:
    runs: dict[str, list[Run]] = defaultdict(list)
    suicides: list[tuple[float, str]] = []
    for line in log.read_text().splitlines() if log.exists() else ():
        what, *rest = line.split()
        if what == "killed":
            suicides.append((float(rest[-1]), rest[-2]))
            continue
        _, luid, pid, at = rest
        if what == "began":
            runs[luid].append(Run(pid, float(at)))
        elif what == "sent":
            next(run for run in reversed(runs[luid]) if run.pid == pid and run.sent is None).sent = float(at)
    return runs, suicides


def _all(inbox: Inbox) -> Iterator[EventRecord]:
    last = 0
    while page := inbox.events.list(after=last, limit=PAGE):
        yield from page
        last = page[-1].event.id or 0


def _outcomes(record: EventRecord) -> list[str]:
    return [attempt.outcome for job in record.jobs for attempt in job.attempts_made]


def _any_dead(kept: list[EventRecord]) -> bool:
    return any(job.job.state is JobState.DEAD for record in kept for job in record.jobs)


def _was_lost(kept: list[EventRecord]) -> bool:
    """A worker died with the message out and its end not written down: at least once means this."""
    return any("lost" in _outcomes(record) for record in kept)


def _overlap(made: list[Run]) -> bool:
    spans = sorted((run.began, run.sent) for run in made if run.sent is not None)
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def _takeovers(made: list[Run], kills: list[tuple[float, str]]) -> Iterator[float]:
    """Seconds from the death of a run's process to the next run."""
    for run, following in pairwise(made):
        died = [at for at, pid in kills if pid == run.pid and at >= run.began]
        if died and run.sent is None:
            yield following.began - died[0]
