"""Run jobs: build the context of each and call its handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from notifiers import Notifiers
from tableau_rest.errors import TableauError
from webhooks.config.settings import Settings
from webhooks.context.calls import attempt, call
from webhooks.context.context import Context
from webhooks.errors import Permanent
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import DEAD_LETTERS, PLANNING_FAILED, Job, Result
from webhooks.registry import Handler, Registry
from webhooks.rules.access import Access
from webhooks.rules.matching import SITE, needs
from webhooks.sites import Sites, UnknownSite


@dataclass(frozen=True, slots=True)
class JobRunner:
    """Runs jobs with what all of them share."""

    registry: Registry
    inbox: Inbox
    notifiers: Notifiers
    settings: Settings
    sites: Sites
    redact: Callable[[str], str] = str
    access: Callable[[], Access] = Access

    def run(self, job: Job, still_mine: Callable[[], bool] = lambda: True) -> str:
        """Do the same as `attempt`, record the checkpoints, and return the result in words, if there is one."""
        return call(*self._prepared(job, still_mine))

    def attempt(self, job: Job, still_mine: Callable[[], bool]) -> Result:
        """Run the job's handler once and return its result; its checkpoints have to be recorded with the job's end.

        Raises what the handler raises, and Permanent if the inbox's row is damaged. `still_mine` returns whether the
        worker still holds the job's lease.
        """
        try:
            return attempt(*self._prepared(job, still_mine))
        except TableauError as error:
            self.sites.name_service(error, self.sites.known_site(job.event))
            raise

    def _prepared(self, job: Job, still_mine: Callable[[], bool]) -> tuple[Handler, Context]:
        if job.event.defect and job.handler not in {DEAD_LETTERS, PLANNING_FAILED}:
            raise Permanent(job.event.defect)
        handler = self.registry.handler(job.handler)
        event = replace(job.event, site="") if job.event.defect else self._with_site(job)
        context = Context(
            replace(job, event=event),
            inbox=self.inbox,
            tableau=lambda: self.sites.client(self.sites.site_of(event)),
            notifiers=self.notifiers,
            settings=self.settings,
            label=self.sites.label,
            still_mine=still_mine,
            redact=self.redact,
            access=self.access,
        )
        return handler, context

    def _with_site(self, job: Job) -> Event:
        """Return the job's event with the name of its site, signing in to Tableau if only that can tell.

        If Tableau cannot be reached, the last attempt goes on without the name, unless a condition needs it.
        """
        event = self.sites.with_site(job.event)
        if event.site is not None:
            return event
        try:
            return replace(event, site=self.sites.site_of(event).name)
        except UnknownSite:
            return replace(event, site="")
        except TableauError:
            if needs(job.where, SITE) or job.attempts < job.max_attempts:
                raise
            return replace(event, site="")
