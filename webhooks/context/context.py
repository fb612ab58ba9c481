"""The context of one running job."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from notifiers import Message, Notifiers, Receipt, parse_destination
from tableau_rest.errors import TableauError
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.context.conditions import CONDITIONS, check_conditions
from webhooks.context.delivery import Delivery, PictureSource, as_message
from webhooks.context.job_log import JobLog
from webhooks.context.lookup import Lookup, look_up, resource_luid
from webhooks.context.projects import ProjectPath, find_path
from webhooks.context.shared_lookups import not_before, shared_lookups
from webhooks.destinations import resolve_default
from webhooks.errors import LeaseLost, Permanent, RetryLater
from webhooks.event import Event
from webhooks.job import MESSAGE_PREFIX, MISSING, Checkpoint, Job, Namespace
from webhooks.rules.access import Access

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tableau_rest import Tableau
    from tableau_rest.models import Job as TableauJob
    from tableau_rest.models import Reference, User
    from webhooks.inbox import Inbox
    from webhooks.incidents import Run

# All programs of a site share 20,000 queries of jobs a day; the monitor has a limit of its own.
# https://help.tableau.com/current/online/en-us/to_site_capacity.htm
JOB_QUERIES_PER_HOUR = 400

MessageSource = Message | str | Callable[[], Message]


class NoCredentials(Permanent):
    """The variables for signing in to Tableau are not set."""


class Context:
    """The tools of the handler of one job. Created for one attempt and used by one thread.

    `tableau` returns the client of the event's site and is called on first use. `still_mine` returns whether the
    worker still holds the job's lease. `label` returns the name of an event's site, empty if there is only one site.
    `redact` masks secrets in what is sent. `access` returns who may act, by the rules in force.
    """

    def __init__(
        self,
        job: Job,
        *,
        inbox: Inbox,
        tableau: Callable[[], Tableau],
        notifiers: Notifiers,
        settings: Settings,
        label: Callable[[Event], str] = lambda _: "",
        clock: Callable[[], datetime] = utc_now,
        still_mine: Callable[[], bool] = lambda: True,
        redact: Callable[[str], str] = str,
        access: Callable[[], Access] = Access,
    ) -> None:
        self.job = job
        self.inbox = inbox
        self.notifiers = notifiers
        self.settings = settings
        self.label = label
        self.now = clock
        self.still_mine = still_mine
        self.redact = redact
        self._access = access
        self._make_tableau = tableau
        self._notified: Counter[str] = Counter()
        # To be recorded together with the end of the job.
        self.unrecorded: list[Checkpoint] = []
        # Set if the job behind a failed refresh was requested together with the content.
        self.requested_job: Future[TableauJob | None] | None = None

    @property
    def event(self) -> Event:
        return self.job.event

    @property
    def luid(self) -> str | None:
        """Return the event's `resource_luid`, or None if that is missing or not a LUID."""
        return resource_luid(self.event)

    @property
    def last_attempt(self) -> bool:
        """Return whether the job is dead-lettered if this attempt fails."""
        return self.job.attempts >= self.job.max_attempts

    @property
    def access(self) -> Access:
        """Return who may act, by the rules in force."""
        return self._access()

    @cached_property
    def tableau(self) -> Tableau:
        """Return the client of Tableau's REST API. Raises NoCredentials with the variables that are not set."""
        try:
            self.settings.require_tableau()
        except RuntimeError as error:
            raise NoCredentials(str(error)) from None
        return self._make_tableau()

    @cached_property
    def lookup(self) -> Lookup:
        """Look up the content that the event is about, once per attempt.

        Raises an error that may pass, such as an outage of Tableau, unless this is the last attempt.
        """
        now = self.now()

        def find(tableau: Tableau, kind: str, luid: str) -> Any:
            shared, since = shared_lookups(tableau), not_before(self.event, now)
            return shared.content(tableau, kind, luid, now=now, not_before=since, waiting=self._waiting)

        return look_up(self.event, lambda: self.tableau, find, last_attempt=self.last_attempt)

    def find_user(self, luid: str) -> User:
        """Return a user, as known for at most five minutes. Raises TableauError."""
        return shared_lookups(self.tableau).user(self.tableau, luid, self.now())

    def find_failed_job(self, luid: str, *, name: str, at: datetime) -> TableauJob | None:
        """Return the job of a refresh that failed at a time, None if Tableau does not list it.

        Raises QueriesExhausted and TableauError.
        """
        if self.requested_job is not None:
            return self.requested_job.result()
        key = f"queries of jobs {self.tableau.site_name}"
        return shared_lookups(self.tableau).failed_job(
            self.tableau,
            luid,
            name=name,
            at=at,
            now=self.now(),
            waiting=self._waiting,
            take_queries=lambda number: self.inbox.quotas.take(key, JOB_QUERIES_PER_HOUR, number),
        )

    def _waiting(self) -> Sequence[str]:
        """Return the names of the resources whose jobs are due for the same reason as this one."""
        return self.inbox.jobs.waiting_names(self.event) if self.event.type.refresh else ()

    @property
    def found(self) -> Lookup:
        """Return `lookup`; handlers written before the rename use this name."""
        return self.lookup

    def find_project_path(self, project: Reference) -> ProjectPath:
        """Return the project's path, as far up as the signed-in user can see. Raises TableauError."""
        return find_path(project, self.tableau, self.now())

    def project_path(self, project: Reference) -> str:
        """Return a path for messages, such as `Finance/Reports`; only the project's name if Tableau refuses the list.

        Raises an error that may pass, unless this is the last attempt.
        """
        try:
            return self.find_project_path(project).path if project.luid else project.name
        except TableauError as error:
            if not error.permanent and not self.last_attempt:
                raise
            return project.name

    def history(self, luid: str | None = None, *, limit: int = 100) -> tuple[Run, ...]:
        """Return the runs of a workbook, data source or flow that are stored, the newest first.

        Without a LUID, those of the event's content.
        """
        wanted = luid or self.luid
        return tuple(self.inbox.runs.list(resource_luid=wanted, limit=limit)) if wanted else ()

    @cached_property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """Return a logger whose lines name the event and the job."""
        logger = logging.getLogger(f"webhooks.handlers.{self.job.handler}")
        return JobLog(logger, {"event_id": self.event.id, "job_id": self.job.id})

    def once(self, key: str, function: Callable[[], Any]) -> Any:
        """Call `function` once per job and return its JSON value; later attempts get the recorded value.

        It is called again only if the process dies, or the inbox cannot write, between its return and the record.
        Raises Permanent if the value is not JSON or contains a secret of the server, and LeaseLost if another worker
        has the job by now.
        """
        return self.checkpoint(key, function, Namespace.HANDLER)

    def checkpoint(
        self,
        key: str,
        function: Callable[[], Any],
        namespace: Namespace = Namespace.FRAMEWORK,
        *,
        at_end: bool = False,
    ) -> Any:
        """Do the same as `once` with a key of the framework, which no handler's key can collide with.

        With `at_end` the value is recorded in the transaction that ends the job: only if nothing else is done until
        then, so that the process is as unlikely to die before the record as otherwise. Another checkpoint records it.
        """
        self.record_now()
        recorded = self.inbox.checkpoints.get(self.job, key, namespace=namespace)
        if recorded is not MISSING:
            return recorded
        if not self.still_mine():
            raise LeaseLost(f"Job {self.job.id} belongs to another worker now")
        value = function()
        if at_end:
            self.unrecorded.append(Checkpoint(key, value, namespace))
            return value
        try:
            json.dumps(value)
            self.inbox.checkpoints.set(self.job, key, value, namespace=namespace)
        except (TypeError, ValueError) as error:
            # The function has run: it is not run again if the job is replayed.
            self.inbox.checkpoints.set(self.job, key, None, namespace=namespace)
            raise Permanent(f"once({key!r}) must return a JSON value that can be stored: {error}") from error
        return value

    def record_now(self) -> None:
        """Record the checkpoints that were to be recorded together with the end of the job."""
        for checkpoint in self.unrecorded:
            self.inbox.checkpoints.record(self.job, checkpoint)
        self.unrecorded.clear()

    def check_conditions(self) -> None:
        """Evaluate the job's conditions that only Tableau can answer, once per job.

        Raises Skip if one does not hold, and Permanent if it stays unknown.
        """
        if self.job.where:
            self.checkpoint(CONDITIONS, lambda: check_conditions(self))

    def notify(
        self,
        to: str,
        message: MessageSource,
        *,
        picture: PictureSource | None = None,
        key: str | None = None,
        site: bool = True,
        last: bool = False,
    ) -> Receipt:
        """Send a message to the destination `to` (`slack:#bi`, `twilio`, `default`, …), once per job.

        `message` may be a text or a function that returns the message; so may `picture`, which is attached after the
        message was sent. A picture that fails is retried a few times and then left out. The first call for a
        destination is its first message on every attempt; give messages a `key` each if a later attempt may take
        another path. If the server has several sites, the message names the event's site, unless `site` is False.
        `last`: the handler returns at once afterwards, so the job's end and the message are recorded together.

        Raises NotifierError, and Permanent if `to` is not a destination.
        """
        if not key:
            self._notified[to] += 1
            key = f"{to} {self._notified[to]}"
        try:
            destination = parse_destination(resolve_default(to, self.notifiers.with_default_address))
        except ValueError as error:
            raise Permanent(str(error)) from None

        def make() -> Message:
            made = message() if callable(message) else as_message(message)
            label = self.label(self.event) if site else ""
            return replace(made, facts=(("Site", label), *made.facts)) if label else made

        delivery = Delivery(self, self.notifiers[destination.kind], f"{MESSAGE_PREFIX}{key}")
        return delivery.run(make, destination.to, picture, last=last)

    def wait(self, key: str, waits: Sequence[float], why: str, not_before: datetime | None = None) -> None:
        """Raise RetryLater for each of `waits` (seconds) in turn, over all attempts; return once they are used up.

        A handler waits this way without occupying a thread. A wait costs no attempt, so the last attempt waits, too,
        except for a job that is older than a day: there it would cost one, so this returns at once.
        """
        now = self.now()
        if self.last_attempt and not self.job.waits_are_free(now):
            return
        for number, seconds in enumerate(waits, 1):
            if self.inbox.checkpoints.get(self.job, f"{key} wait {number}") is MISSING:
                self.inbox.checkpoints.set(self.job, f"{key} wait {number}", why)
                due_at = now + timedelta(seconds=seconds)
                raise RetryLater(why, max(due_at, not_before) if not_before else due_at)
