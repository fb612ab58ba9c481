"""What the parts share, each built once and on first use: inbox, rules, handlers, Tableau, notifiers, worker."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from notifiers import Notifiers
from tableau_rest.errors import TableauError
from webhooks import rules as rules_file
from webhooks.config.settings import Settings
from webhooks.config.site import Site
from webhooks.context import Context, call
from webhooks.destinations import delivery_warnings
from webhooks.event import Event
from webhooks.inbox import Inbox, Migrate
from webhooks.job import DEAD_LETTERS, Job, NewJob
from webhooks.monitor import Monitor, build_monitor, monitors_webhooks
from webhooks.planner import Planner, no_twin
from webhooks.registration import desired_event_types
from webhooks.registry import Registry, registry
from webhooks.rules import Rules
from webhooks.rules.conditions import SITE
from webhooks.sites import Sites, UnknownSite
from webhooks.worker.worker import Worker

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)
T = TypeVar("T")


class shared(cached_property[T]):  # noqa: N801 — a decorator, as cached_property is
    """A part that is built once, also when several threads are the first to ask; since Python 3.12 cached_property
    leaves that to its user, https://docs.python.org/3/library/functools.html#functools.cached_property"""

    def __get__(self, services: Any, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        with services.starting:
            part: T = super().__get__(services, owner)
            return part


class Services:
    """The application's parts, wired from its settings. A command that lists events opens the inbox, nothing else."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Which databases this process may migrate; commands restrict it before they open the inbox.
        self.migrate = Migrate.ALWAYS
        self.tokens = [token.encode() for token in settings.webhook_tokens()]
        self.starting = threading.RLock()
        self._worker: Worker | None = None
        self._worker_pid: int | None = None
        self._monitor: Monitor | None = None

    @shared
    def inbox(self) -> Inbox:
        self.settings.require_durable()
        return Inbox.open(self.settings.database_url.get_secret_value(), migrate=self.migrate)

    @shared
    def registry(self) -> Registry:
        """All handlers, loaded. Raises RegistrationError naming the file that is broken."""
        registry.load()
        return registry

    @shared
    def rules(self) -> Rules:
        """The rules file, checked whole. Raises RulesError with every fault."""
        return rules_file.load(self.settings.rules_file, self.registry.actions, self.settings.max_attempts)

    @shared
    def notifiers(self) -> Notifiers:
        return Notifiers.from_variables(self.settings.notifier_variables())

    @shared
    def sites(self) -> Sites:
        """The sites of SITES_FILE; without it the one of the variables."""
        return Sites(self.settings.sites(), lambda: self.inbox)

    def client(self, site: Site) -> Tableau:
        """The site's client; all threads share it. Raises RuntimeError naming what the chosen sign-in misses."""
        self.settings.require_tableau()
        return self.sites.client(site)

    @property
    def tableau(self) -> Tableau:
        """The client of the only site, or of the first one; as `client`."""
        self.settings.require_tableau()
        return self.sites.client(self.sites.all[0])

    @property
    def planner(self) -> Planner:
        """The planner that uses the rules file. Raises RulesError or RegistrationError."""
        return self.planner_for(self.rules)

    def planner_for(self, rules: Rules) -> Planner:
        """Return a planner that uses these rules instead of the rules file."""

        def find_twin(event: Event) -> int | None:
            return self.inbox.synthetic_events.find_twin(event)

        reconciles = monitors_webhooks(self.settings) and self.settings.reconcile
        twins = find_twin if reconciles else no_twin
        return Planner(rules, self.registry, self.sites.labelled, twins, self.settings.max_attempts)

    def wanted(self, site: Site | None = None) -> tuple[str, ...]:
        """The event types that the rules and the `@on` handlers are about; of a site, those that are about it."""
        filters = [*self.rules.event_filters, *self.registry.event_filters]
        named = (site.name, self.sites.known_luid(site)) if site and site.name else ()
        return desired_event_types(filters, site=named)

    def run(self, job: Job, still_mine: Callable[[], bool] = lambda: True) -> None:
        """Does a job once; raises what its handler raises."""
        handler = self.registry.handler(job.handler)
        context = Context(
            self._labelled(job),
            inbox=self.inbox,
            tableau=lambda: self.client(self.sites.of(job.event)),
            notifiers=self.notifiers,
            settings=self.settings,
            label=self.sites.label,
            still_mine=still_mine,
        )
        call(handler, context)

    def _labelled(self, job: Job) -> Job:
        """With the site's name, which may have to be learnt first. Raises what may pass, unless it has to go on."""
        event = self.sites.labelled(job.event)
        if event.site is None:
            try:
                event = replace(event, site=self.sites.of(event).name)
            except UnknownSite:
                event = replace(event, site="")
            except TableauError:
                if SITE in job.where or job.attempts < job.max_attempts:
                    raise
                event = replace(event, site="")
        return replace(job, event=event)

    def worker(self, threads: int | None = None) -> Worker:
        """A new worker, not started."""
        size = self.settings.worker_threads if threads is None else threads
        given = self.settings
        self.inbox.dead_letters.announcements = _announcements(self.rules.dead_letters)
        for trouble in delivery_warnings(self.rules.destinations, self.notifiers):
            log.warning("Some destinations cannot be notified: %s", trouble)
        return Worker(
            self.inbox,
            planner=self.planner.jobs,
            run=self.run,
            threads=size,
            lease=given.lease_seconds,
            retention=given.retention_days,
        )

    def start_worker(self) -> None:
        """Starts this process's embedded worker unless it runs or is switched off. Cheap to call again."""
        if self._worker_pid == os.getpid() or not self.settings.worker_threads:
            return
        with self.starting:
            if self._worker_pid != os.getpid():
                self._worker = self.worker()
                self._worker.start()
                self._monitor = None
                self.start_monitor()
                self._worker_pid = os.getpid()

    def start_monitor(self) -> None:
        """Start the periodic checks in this process, unless they run or there is no credential for Tableau."""
        if self._monitor is None:
            self._monitor = build_monitor(
                self.settings, self.inbox, self.sites.all, client=self.client, desired=self.wanted
            )
            if self._monitor:
                self._monitor.start()

    def working(self) -> bool:
        """Whether the embedded worker takes jobs, where there has to be one."""
        return not self.settings.worker_threads or (self._worker is not None and self._worker.alive())

    def stop_claiming(self) -> None:
        """Lets the embedded worker take no more jobs; for a signal handler, so it waits for nothing."""
        if self._worker is not None and self._worker_pid == os.getpid():
            self._worker.stop_claiming()

    def stop(self, grace: float = 20.0) -> None:
        """Stops the watch and, within `grace` seconds, the worker, then closes the inbox."""
        if self._monitor is not None and self._monitor.alive():
            self._monitor.stop()
        if self._worker is not None and self._worker_pid == os.getpid():
            self._worker.stop(grace)
        if "inbox" in self.__dict__:
            self.inbox.close()


def _announcements(destinations: tuple[str, ...]) -> tuple[NewJob, ...]:
    """Return one job for all destinations, so that none is left out because another was notified first."""
    if not destinations:
        return ()
    return (NewJob("dead letters", DEAD_LETTERS, rule="dead letters", params={"to": destinations}),)
