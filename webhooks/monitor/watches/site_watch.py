"""Watch the refreshes of one site: those that do not come, run too long, or are suspended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.event_types import JOB_LIST_CHECK_FAILED
from webhooks.inbox.server.sight import SightRecord
from webhooks.incidents import RunEvidence
from webhooks.incidents.run import MAX_RUN
from webhooks.monitor.alerts import Alert, Alerts
from webhooks.monitor.job_runs import learn_runs
from webhooks.monitor.sight import Sight
from webhooks.monitor.watches.catalog import Catalog, Contents
from webhooks.monitor.watches.declarations import Declarations
from webhooks.monitor.watches.long_runs import QUEUED, LongRuns
from webhooks.monitor.watches.look import JobLooks, Look, evidence_of, queued_since
from webhooks.monitor.watches.recorder import Recorder
from webhooks.monitor.watches.schedules import Schedules
from webhooks.monitor.watches.usual import UsualTimes
from webhooks.watches.expectation import Expectation, by_resource, came_at, early
from webhooks.watches.timing import LEARNED_GRACE, QUEUE_FACTOR

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import BackgroundJob
    from webhooks.inbox import Inbox
    from webhooks.inbox.runs.expected import Outcome
    from webhooks.monitor.job_budget import JobBudget
    from webhooks.rules.watches import Watch

log = logging.getLogger(__name__)

# Content may have been renamed since its job was queued.
NAMES_SINCE = timedelta(days=8)

AGAIN = timedelta(minutes=10)
# What the watch needs to see.
WATCH = "watch"
# The list may show the end of a job this late.
SEEN_MARGIN = timedelta(seconds=30)

Outcomes = dict[int | None, tuple["Outcome", datetime | None]]


class SiteWatch:
    """The watch of one site.

    Nothing is concluded from the absence of events alone: before that, Tableau's job list is asked. If it cannot be
    read, that is one incident of the site, whatever is overdue. `watches` returns what the rules declare, `site`
    is the site's name.
    """

    def __init__(
        self,
        inbox: Inbox,
        tableau: Callable[[], Tableau],
        budget: JobBudget,
        zone: tzinfo,
        *,
        key: str = "",
        sight: Sight | None = None,
        watches: Callable[[], Sequence[Watch]] = tuple,
        site: str = "",
    ) -> None:
        self._inbox, self._key = inbox, key
        # Refreshes that wait in Tableau's queue are looked for again then.
        self._not_before: dict[int | None, datetime] = {}
        # The watch of another process may have reported it.
        self._may_be_lost = True
        self._sight = sight or Sight(Alerts(inbox, key=key), zone)
        self._contents = Contents(tableau)
        self._usual = UsualTimes(inbox)
        self._recorder = Recorder(inbox, zone)
        declarations = Declarations(tableau, self._contents, watches, zone, site)
        self._schedules = Schedules(
            inbox, tableau, self._contents, self._recorder, zone, declarations=declarations, key=key
        )
        self._looks = JobLooks(tableau, budget)
        self._long = LongRuns(inbox, self._usual, self._looks, self._recorder, declarations)

    def run(self, now: datetime) -> None:
        """Read the schedules if they are due, and conclude what can be concluded now. Raises StoreUnavailable."""
        self._schedules.refresh(now)
        site_luid = self._schedules.site_luid
        if not site_luid:
            return
        self._not_before = {row_id: at for row_id, at in self._not_before.items() if at > now}
        waiting = self._settle_by_runs(self._inbox.expected_runs.due(site_luid, now), site_luid)
        overdue = self._overdue(waiting, site_luid, now)
        running = self._long.candidates(site_luid, now)
        begun = [*(self._earliest(one) for one, _ in overdue), *(one.began - QUEUED for one in running)]
        if not begun:
            if self._may_be_lost:
                self._sight.drop(WATCH)
                self._may_be_lost = False
            return
        try:
            kinds = {one.resource_kind for one, _ in overdue} | {one.run.resource_kind for one in running}
            look = self._looks.take(min(begun), now, kinds)
            if look is not None:
                self._sight.found(WATCH)
            else:
                # Without a query of its own, the monitor's last reading decides about what was overdue before it.
                seen, running = SightRecord.load(self._inbox.state, self._key).seen or 0.0, []
                before = [(one, at) for one, at in overdue if (at + SEEN_MARGIN).timestamp() <= seen]
                overdue = [(one, at) for one, at in before if one.resource_kind != "flow"]
                look = Look(now, min(begun), ())
            if not overdue and not running:
                return
            catalog = self._contents.catalog(now)
        except TableauError as error:
            log.warning("Watch postponed, the job list cannot be read: %s", error)
            text = f"{error} Whether refreshes came that are overdue is unknown until then: {len(begun)}."
            alert = Alert(JOB_LIST_CHECK_FAILED, "Tableau's job list cannot be read", text)
            self._sight.lost(WATCH, alert, error, now)
            self._may_be_lost = True
            return
        self._conclude(look, catalog, overdue, site_luid)
        self._long.conclude(look, catalog, running, site_luid)

    def _earliest(self, expected: Expectation) -> datetime:
        """Return when a run may have begun at the earliest that counts as the expected one."""
        return expected.at - max(self._schedules.within(expected), early(expected, self._schedules.period(expected)))

    def _settle_by_runs(self, due: Sequence[Expectation], site_luid: str) -> list[Expectation]:
        """Store which of the expected refreshes have come by what is stored of runs; return the others."""
        if not due:
            return []
        since = min(one.at for one in due) - MAX_RUN
        runs = by_resource(self._inbox.run_history.since(site_luid, {one.resource_luid for one in due}, since))
        outcomes: Outcomes = {}
        for one in due:
            own, period = runs.get(one.resource_luid, ()), self._schedules.period(one)
            came = came_at(one, own, early=early(one, period), within=self._schedules.within(one))
            if came is not None:
                outcomes[one.id] = ("came", came)
        self._inbox.expected_runs.settle(outcomes)
        return [one for one in due if one.id not in outcomes]

    def _overdue(
        self, waiting: Sequence[Expectation], site_luid: str, now: datetime
    ) -> list[tuple[Expectation, datetime]]:
        """Return the expected refreshes whose deadlines are over, with the deadlines."""
        usual = self._usual.of(((one.task, one.resource_luid) for one in waiting), site_luid, now)
        found = []
        for one in waiting:
            grace = timedelta()
            if not one.is_declared:
                grace = usual[one.task, one.resource_luid].grace(self._schedules.period(one))
                grace = max(grace, LEARNED_GRACE) if one.is_learned else grace
            if one.at + grace <= now and self._not_before.get(one.id, now) <= now:
                found.append((one, one.at + grace))
        return found

    def _conclude(
        self, look: Look, catalog: Catalog, overdue: Sequence[tuple[Expectation, datetime]], site_luid: str
    ) -> None:
        """Record which of the overdue refreshes were missed, unless the job list knows them."""
        names = self._names(catalog, [one for one, _ in overdue], site_luid)
        jobs: dict[str, list[BackgroundJob]] = {}
        outcomes: Outcomes = {}
        open_questions, pieces = list[Expectation](), list[RunEvidence]()
        for one, _ in overdue:
            luid, kind = one.resource_luid, one.resource_kind
            if catalog.is_gone(luid, kind):
                outcomes[one.id] = ("withdrawn", None)
                continue
            found = self._looks.jobs_of(look, luid, kind, names[luid], catalog)
            if found is not None:
                jobs[luid] = found
                pieces += evidence_of(found, luid, kind, site_luid, look.at)
                open_questions.append(one)
        learn_runs(self._inbox, pieces)
        left = {one.id for one in self._settle_by_runs(open_questions, site_luid)}
        recorded = set()
        for one, deadline in overdue:
            if one.id not in left:
                continue
            queued = queued_since(jobs[one.resource_luid])
            if queued is not None and not one.is_declared:
                # It will come, unless the queue does not move.
                deadline = one.at + QUEUE_FACTOR * (deadline - one.at)  # noqa: PLW2901 - the later one
                if deadline > look.at:
                    self._not_before[one.id] = min(deadline, look.at + AGAIN)
                    continue
            # Of several tasks that are missed together, one is recorded.
            identity = (one.resource_luid, one.watch)
            if identity not in recorded:
                recorded.add(identity)
                name = catalog.name(one.resource_luid) or one.resource_name
                self._recorder.missed(one, deadline, site_luid, name, queued_at=queued)
            outcomes[one.id] = ("missed", None)
        self._inbox.expected_runs.settle(outcomes)

    def _names(self, catalog: Catalog, expected: Sequence[Expectation], site_luid: str) -> dict[str, set[str]]:
        """Return the names under which the content's jobs may be listed: its own, and those of its last runs."""
        found = {one.resource_luid: {catalog.name(one.resource_luid), one.resource_name} - {""} for one in expected}
        if expected:
            since = min(one.at for one in expected) - NAMES_SINCE
            for run in self._inbox.run_history.since(site_luid, found.keys(), since):
                found[run.resource_luid].add(run.resource_name)
        return found
