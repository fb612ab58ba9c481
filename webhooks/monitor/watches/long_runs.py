"""Find refreshes that run far longer than usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from webhooks.incidents import Run, RunEvidence
from webhooks.incidents.run import MAX_RUN, TOLERANCE
from webhooks.monitor.job_runs import learn_runs
from webhooks.monitor.watches.catalog import Catalog
from webhooks.monitor.watches.declarations import Declarations
from webhooks.monitor.watches.look import JobLooks, Look, evidence_of
from webhooks.monitor.watches.recorder import Recorder
from webhooks.monitor.watches.usual import UsualTimes

if TYPE_CHECKING:
    from webhooks.inbox import Inbox

# A run of which the job list knows nothing, or that was reported, is not looked at again for so long.
AGAIN = timedelta(minutes=30)
# Tableau lists jobs by the time when they were queued, and a job may have waited before it began.
QUEUED = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class LongRun:
    """A run that takes longer than `limit`, as far as is known; `usual` is how long most of its runs take at most."""

    run: Run
    limit: timedelta
    usual: timedelta | None = None
    watch: str = ""

    @property
    def began(self) -> datetime:
        """Return when the run began."""
        return self.run.started_at or self.run.at


class LongRuns:
    """The runs of one site that take too long.

    The end of a run may be unknown because its webhook was lost, so the job list is asked before one is recorded.
    """

    def __init__(
        self, inbox: Inbox, usual: UsualTimes, looks: JobLooks, recorder: Recorder, declarations: Declarations
    ) -> None:
        self._inbox, self._usual, self._looks, self._recorder = inbox, usual, looks, recorder
        self._declarations = declarations
        self._not_before: dict[tuple[str, datetime], datetime] = {}

    def candidates(self, site_luid: str, now: datetime) -> list[LongRun]:
        """Return the runs that seem to take too long and were not looked at lately."""
        self._not_before = {key: at for key, at in self._not_before.items() if at > now}
        running = self._inbox.run_history.running(site_luid, now - MAX_RUN)
        usual = self._usual.of((("", run.resource_luid) for run in running), site_luid, now)
        found = []
        for run in running:
            known = usual["", run.resource_luid]
            declared = self._declarations.limit(run.resource_luid, site_luid, now)
            limit, watch = declared or (known.longest, "")
            if limit is not None:
                one = LongRun(run, limit, known.most, watch)
                if one.began + one.limit <= now and (run.resource_luid, one.began) not in self._not_before:
                    found.append(one)
        return found

    def conclude(self, look: Look, catalog: Catalog, candidates: Sequence[LongRun], site_luid: str) -> None:
        """Record those of which the job list says that they are still running, and learn the ends of the others."""
        pieces: list[RunEvidence] = []
        for one in candidates:
            luid, kind = one.run.resource_luid, one.run.resource_kind
            names = {catalog.name(luid), one.run.resource_name} - {""}
            jobs = self._looks.jobs_of(look, luid, kind, names, catalog)
            if jobs is None:
                continue
            self._not_before[luid, one.began] = look.at + AGAIN
            pieces += evidence_of(jobs, luid, kind, site_luid, look.at)
            still_running = [
                job
                for job in jobs
                if job.status == "InProgress" and job.started_at and abs(job.started_at - one.began) <= TOLERANCE
            ]
            if still_running:
                name = catalog.name(luid) or one.run.resource_name
                self._recorder.long(one.run, one.limit, name, usual=one.usual, watch=one.watch)
        learn_runs(self._inbox, pieces)
