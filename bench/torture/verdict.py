"""Compare the message log and the inbox with what was acknowledged."""

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
    """One run of a handler in the message log, in monotonic seconds; `sent` is None if it died before."""

    pid: str
    began: float
    sent: float | None = None


@dataclass(frozen=True)
class Verdict:
    """The outcome of a scene."""

    acknowledged: int
    lost: int
    stored_twice: int
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
        """Return whether nothing was lost, stored twice, or repeated without a worker's death after the message."""
        faults = (self.lost, self.stored_twice, self.unexplained, self.overlapping, self.ended_twice)
        return self.acknowledged > 0 and not any(faults)


def judge(inbox: Inbox, log: Path, acknowledged: set[str], *, refused: int, kills: list[tuple[float, str]]) -> Verdict:
    """Return the verdict; `kills` has when (monotonic) the scene killed which process."""
    runs, self_kills = _read(log)
    records: list[EventRecord] = []
    while page := inbox.events.list(after=records[-1].event.id if records else 0, limit=PAGE):
        records += page
    by_luid: dict[str, list[EventRecord]] = defaultdict(list)
    for record in records:
        by_luid[str(record.event.resource_luid)].append(record)
    done = {luid for luid, its_runs in runs.items() if any(run.sent for run in its_runs)}
    dead = {
        luid
        for luid, stored in by_luid.items()
        if any(job.job.state is JobState.DEAD for record in stored for job in record.jobs)
    }
    repeated = {luid for luid, its_runs in runs.items() if sum(run.sent is not None for run in its_runs) > 1}
    # A worker died after it had sent the message and before it had recorded that: "at least once" means this.
    explained = {luid for luid in repeated if any("lost" in _outcomes(record) for record in by_luid[luid])}
    return Verdict(
        acknowledged=len(acknowledged),
        # Also one that was run, and is not stored any more: its deliveries would no longer be duplicates.
        lost=len((acknowledged - done - dead) | (acknowledged - by_luid.keys())),
        stored_twice=sum(len(stored) > 1 for stored in by_luid.values()),
        dead=len(dead),
        repeated=len(repeated),
        unexplained=len(repeated - explained),
        overlapping=sum(_overlap(its_runs) for its_runs in runs.values()),
        ended_twice=sum(_outcomes(record).count("done") > 1 for record in records),
        refused=refused,
        kills=len(kills) + len(self_kills),
        takeovers=[seconds for its_runs in runs.values() for seconds in _takeovers(its_runs, kills + self_kills)],
    )


def _read(log: Path) -> tuple[dict[str, list[Run]], list[tuple[float, str]]]:
    """Return the runs by LUID, and when which process killed itself."""
    runs: dict[str, list[Run]] = defaultdict(list)
    self_kills: list[tuple[float, str]] = []
    for line in log.read_text().splitlines() if log.exists() else ():
        what, *rest = line.split()
        if what == "killed":
            self_kills.append((float(rest[-1]), rest[-2]))
            continue
        _, luid, pid, at = rest
        if what == "began":
            runs[luid].append(Run(pid, float(at)))
        elif what == "sent":
            next(run for run in reversed(runs[luid]) if run.pid == pid and run.sent is None).sent = float(at)
    return runs, self_kills


def _outcomes(record: EventRecord) -> list[str]:
    return [attempt.outcome for job in record.jobs for attempt in job.attempts_made]


def _overlap(runs: list[Run]) -> bool:
    spans = sorted((run.began, run.sent) for run in runs if run.sent is not None)
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def _takeovers(runs: list[Run], kills: list[tuple[float, str]]) -> Iterator[float]:
    """Yield the seconds from the death of a run's process to the next run."""
    for run, following in pairwise(runs):
        died = [at for at, pid in kills if pid == run.pid and at >= run.began]
        if died and run.sent is None:
            yield following.began - died[0]
