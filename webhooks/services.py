"""Wire the application's parts together, each built once and on first use.

The module is long and stays whole: each method builds, starts or stops one part, and all of them share the parts.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from notifiers import Notifiers, parse_destination
from notifiers.pagerduty import PagerDutyConfig
from notifiers.post import PostConfig
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.config.site import Site
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.observability.logs import log_ids
from webhooks.observability.redaction import Redactor
from webhooks.observability.tracing import event_span
from webhooks.sites import Sites

# A part is imported where it is built: commands use few of them, and all together take a quarter of their start.
if TYPE_CHECKING:
    from tableau_rest import Tableau
    from webhooks.active_rules import ActiveRules
    from webhooks.context.runner import JobRunner
    from webhooks.inbound.socket_mode import SocketMode, SocketStatus
    from webhooks.inbox import Inbox, Migrate
    from webhooks.inbox.databases.known_database import KnownDatabase
    from webhooks.inbox.server.counters import Counters
    from webhooks.job import NewJob
    from webhooks.monitor import Monitor
    from webhooks.monitor.empty_requests import EmptyRequests
    from webhooks.monitor.heartbeat import Heartbeat
    from webhooks.monitor.outages import Outages
    from webhooks.planner import Planner
    from webhooks.registry import Registry
    from webhooks.rules import Rules
    from webhooks.rules.conditions import EventFilter
    from webhooks.worker.worker import Worker

log = logging.getLogger(__name__)
T = TypeVar("T")

# An event that is unplanned for longer is stuck: a worker plans the oldest ones every second.
UNPLANNED_SECONDS = 60.0
# Between two looks for dead letters that were run again, whose incidents close.
SOLVED_SECONDS = 15.0


class shared(cached_property[T]):  # noqa: N801 - a decorator, as cached_property is
    """A part that is built once, also if several threads are the first to use it.

    Since Python 3.12 cached_property has no lock, https://docs.python.org/3/library/functools.html#functools.cached_property
    """

    def __get__(self, services: Any, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        with services.lock:
            part: T = super().__get__(services, owner)
            return part


class Services:
    """The application's parts. A command that lists events opens the inbox and nothing else."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Which databases this process may migrate; commands restrict it before they open the inbox.
        self.migrate: Migrate | None = None
        # Whether rules and handlers were checked, and all parts imported.
        self.checked = False
        # What other processes of the same server know about the inbox.
        self.known_database: KnownDatabase | None = None
        self.lock = threading.RLock()
        self._worker: Worker | None = None
        # Whether another process of the server runs the jobs, until this one is needed.
        self._stands_by = False
        # How many processes this server has, one of which runs the jobs of all.
        self.processes = 1
        self._claims = True
        self._heartbeat: Heartbeat | None = None
        self._monitors: list[Monitor] = []
        self._socket_mode: SocketMode | None = None
        # What was logged about the rules that this process uses; the same is not logged again after a change.
        self._rules_warnings: list[str] = []
        # The oldest unplanned event, and since when this process has known it (monotonic).
        self._oldest_unplanned: tuple[int | None, float] = (None, 0.0)

    @shared
    def redact(self) -> Redactor:
        """The redactor of all the settings' secrets."""
        return Redactor(self.settings.secrets())

    @shared
    def inbox(self) -> Inbox:
        """Open the inbox. Raises RuntimeError for an invalid DATABASE_URL."""
        from webhooks.inbox import Inbox, Migrate  # noqa: PLC0415 - see above

        self.settings.require_durable()
        url = self.settings.database_url.get_secret_value()
        inbox = Inbox.open(url, migrate=self.migrate or Migrate.ALWAYS, known=self.known_database)
        inbox.store.redact = self.redact
        inbox.counters = self.counters
        return inbox

    def count_response(self, name: str, status: int, seconds: float) -> None:
        """Count a response of the receiver for the metrics; record a request without a body."""
        from webhooks.observability.metrics import ACKNOWLEDGED, DUPLICATES, REASONS, RECEIVED, REFUSED  # noqa: PLC0415 - see above

        if name == "refused":
            self.counters.add(REFUSED, REASONS.get(status, "other"))
        elif name in {"accepted", "duplicate"}:
            self.counters.add(RECEIVED if name == "accepted" else DUPLICATES)
            self.counters.observe(ACKNOWLEDGED, seconds)
        elif name == "empty":
            self.empty_requests.record()

    @shared
    def counters(self) -> Counters:
        """The counters of this process, which need no inbox."""
        from webhooks.inbox.server.counters import Counters  # noqa: PLC0415 - see above

        return Counters()

    @shared
    def outages(self) -> Outages:
        """Return the record of the times when this server may have failed to accept events."""
        from webhooks.monitor.outages import Outages  # noqa: PLC0415 - see above

        return Outages(lambda: self.inbox)

    @shared
    def empty_requests(self) -> EmptyRequests:
        """Return the record of requests without a body, which may be events that a proxy has emptied."""
        from webhooks.monitor.empty_requests import EmptyRequests  # noqa: PLC0415 - see above

        return EmptyRequests(lambda: self.inbox)

    @shared
    def registry(self) -> Registry:
        """Load all handlers. Raises RegistrationError naming the file that is broken."""
        from webhooks.registry import registry  # noqa: PLC0415 - see above

        registry.load()
        if self.settings.handlers_dir:
            registry.load_folder(self.settings.handlers_dir)
        return registry

    @shared
    def rules(self) -> Rules:
        """Load the rules file. Raises RulesError with every error in it."""
        from webhooks import rules  # noqa: PLC0415 - see above

        return rules.load(self.settings.rules_file, self.registry.actions, self.settings.max_attempts)

    @property
    def _ca_bundle(self) -> str:
        return str(self.settings.ca_bundle or "")

    @shared
    def notifiers(self) -> Notifiers:
        """Build the notifiers from their variables."""
        return Notifiers.from_variables(
            self.settings.notifier_variables(), ca_bundle=self._ca_bundle, public_url=self.settings.public_url
        )

    @property
    def signing_secret(self) -> str:
        """The secret with which Slack signs the presses of buttons; empty if it is not set."""
        return self.settings.notifier_variables()["SLACK_SIGNING_SECRET"]

    @property
    def pagerduty_secrets(self) -> list[str]:
        """The secrets with which PagerDuty signs what people do there; several if there are several subscriptions."""
        return PagerDutyConfig.from_variables(self.settings.notifier_variables()).webhook_secrets()

    def token_problems(self, rules: Rules) -> list[str]:
        """Return a sentence for each token in requests of the rules that is not set."""
        return PostConfig.from_variables(self.settings.notifier_variables()).token_problems(rules.tokens)

    def destinations_of_number(self, number: str) -> list[str]:
        """Return the destinations that notify this phone number."""
        default = self.settings.notifier_variables()["TWILIO_TO"]
        destinations = [f"twilio:{number}"]
        with suppress(ValueError):
            if default and str(parse_destination(f"twilio:{default}")) == destinations[0]:
                destinations.append("twilio")
        return destinations

    @shared
    def sites(self) -> Sites:
        """Return the sites of SITES_FILE, or the one of the TABLEAU_ variables."""
        return Sites(self.settings.sites(), lambda: self.inbox, ca_bundle=self._ca_bundle)

    @shared
    def runner(self) -> JobRunner:
        """Return the runner of jobs."""
        from webhooks.context.runner import JobRunner  # noqa: PLC0415 - see above

        return JobRunner(
            self.registry,
            self.inbox,
            self.notifiers,
            self.settings,
            self.sites,
            self.redact,
            lambda: self.active_rules.rules.access,
        )

    @shared
    def active_rules(self) -> ActiveRules:
        """The rules in force, which all processes of the inbox share."""
        from webhooks.active_rules import ActiveRules  # noqa: PLC0415 - see above

        return ActiveRules(
            self.settings.rules_file,
            lambda: self.inbox.rule_versions,
            lambda: self.registry.actions,
            max_attempts=self.settings.max_attempts,
            on_change=self._apply_rules,
        )

    @property
    def planner(self) -> Planner:
        """The planner by the rules in force. Raises RulesError or RegistrationError."""
        return self.planner_for(self.active_rules.rules)

    def planner_for(self, rules: Rules) -> Planner:
        """Return a planner that uses these rules instead of the rules file."""
        from webhooks.monitor import monitors_webhooks  # noqa: PLC0415 - see above
        from webhooks.planner import Planner, no_twin  # noqa: PLC0415 - see above

        def find_twin(event: Event) -> int | None:
            return self.inbox.synthetic_events.find_twin(event)

        reconciles = monitors_webhooks(self.settings) and self.settings.reconcile
        twins = find_twin if reconciles else no_twin
        return Planner(
            rules,
            self.registry,
            self.sites.with_site,
            twins,
            self.settings.max_attempts,
            self.redact,
            self.settings.zone,
        )

    def has_stored_rules(self) -> bool:
        """Return whether the inbox has rules that were in force before.

        It is opened for this question only: connections of a process that forks are of no use to its children.
        """
        from webhooks.inbox import Inbox, Migrate  # noqa: PLC0415 - see above

        try:
            inbox = Inbox.open(self.settings.database_url.get_secret_value(), migrate=Migrate.NEVER)
        except (RuntimeError, OSError):
            return False
        try:
            return inbox.rule_versions.current_id() is not None
        except StoreUnavailable:
            return False
        finally:
            inbox.close()

    def client(self, site: Site | None = None) -> Tableau:
        """Return the client of the site, or of the first one; all threads share it.

        Raises RuntimeError with the variables that are missing for the sign-in.
        """
        self.settings.require_tableau()
        return self.sites.client(site or self.sites.all[0])

    def desired_event_types(self, site: Site | None = None, rules: Rules | None = None) -> tuple[str, ...]:
        """Return the event types that need a webhook, for rules (of the rules file, or these) and handlers.

        Without a site, those of all sites.
        """
        from webhooks.registration import desired_event_types  # noqa: PLC0415 - see above

        return desired_event_types(self._event_filters(rules), site=self._names(site))

    def desired_job_list_types(self, site: Site | None = None, rules: Rules | None = None) -> tuple[str, ...]:
        """Return the event types that rules and handlers need from Tableau's job list, of all sites or of one."""
        from webhooks.registration import desired_job_list_types  # noqa: PLC0415 - see above

        return desired_job_list_types(self._event_filters(rules), site=self._names(site))

    def job_list_problems(self) -> list[str]:
        """Return why events from Tableau's job list do not reach the rules in force, one sentence each.

        None without a credential for Tableau, which the rest of the server does without, too. Raises RulesError,
        RegistrationError and StoreUnavailable.
        """
        from webhooks.registration.job_list import describe_source, job_list_problems, obstacle  # noqa: PLC0415

        needed = () if self.settings.missing() else self.desired_job_list_types(None, self.active_rules.rules)
        if not needed:
            return []
        if obstacle(self.settings):
            return [describe_source(self.settings, needed)]
        return job_list_problems(self.inbox, self.sites.all, self._job_list_types_in_force)

    def _event_filters(self, rules: Rules | None) -> list[EventFilter]:
        return [*(rules or self.rules).event_filters, *self.registry.event_filters]

    def _names(self, site: Site | None) -> tuple[str, ...]:
        return (site.name, self.sites.known_luid(site)) if site and site.name else ()

    def worker(self, threads: int | None = None) -> Worker:
        """Return a new worker that is not started."""
        from webhooks.monitor.digest_clock import DigestClock  # noqa: PLC0415 - see above
        from webhooks.monitor.timer_clock import TimerClock  # noqa: PLC0415 - see above
        from webhooks.worker.periodic import Periodic  # noqa: PLC0415 - see above
        from webhooks.worker.worker import Worker  # noqa: PLC0415 - see above

        self._apply_rules(self.active_rules.rules)
        self._log_job_list_problems()

        def jobs(event: Event) -> tuple[NewJob, ...]:
            # The rules in force change while the worker runs.
            with log_ids(event=event.id), event_span("plan", event.fingerprint) as span:
                planned = self.planner.jobs(event)
                span.set(jobs=len(planned))
                return planned

        clock = DigestClock(lambda: self.inbox, lambda: self.active_rules.rules.digest, self.settings.zone)
        solved = Periodic(SOLVED_SECONDS, lambda: self.inbox.dead_letter_groups.close_solved(utc_now()))
        timers = TimerClock(lambda: self.inbox, self.registry.timers, self.settings.zone)

        def tick() -> None:
            clock.tick(utc_now())
            timers.tick(utc_now())
            solved.tick()

        return Worker(
            self.inbox,
            planner=jobs,
            rules_version=self.active_rules.refresh,
            run=self.runner.attempt,
            threads=self.settings.worker_threads if threads is None else threads,
            lease=self.settings.lease_seconds,
            retention=self.settings.retention_days,
            run_retention=self.settings.run_retention_days,
            tick=tick,
            watch=lambda stopping: self.active_rules.watch(stopping, self.inbox.news.set),
            known=self.known_database,
        )

    def _log_job_list_problems(self) -> None:
        try:
            for problem in self.job_list_problems():
                log.warning("Job list not read: %s", problem)
        except StoreUnavailable as error:
            # A server may start before its database does; it refuses events until then.
            log.warning("Job list not looked up, inbox unavailable: %s", error)

    def undeliverable(self) -> list[str]:
        """Return the destinations of dead letters at which the last announcement failed.

        Raises RulesError, RegistrationError and StoreUnavailable.
        """
        from webhooks.destinations import resolve_default  # noqa: PLC0415 - see above

        defaults = self.notifiers.with_default_address
        current = {resolve_default(to, defaults) for to in self.active_rules.rules.dead_letters}
        return [to for to in self.inbox.dead_letters.undeliverable if to in current]

    def _desired_in_force(self, site: Site) -> tuple[str, ...]:
        return self.desired_event_types(site, self.active_rules.rules)

    def _job_list_types_in_force(self, site: Site) -> tuple[str, ...]:
        return self.desired_job_list_types(site, self.active_rules.rules)

    def _apply_rules(self, rules: Rules) -> None:
        from webhooks.destinations import delivery_warnings  # noqa: PLC0415 - see above
        from webhooks.planner import plan_announcements  # noqa: PLC0415 - see above
        from webhooks.registration import missing_webhooks  # noqa: PLC0415 - see above

        self.inbox.dead_letters.announcements = plan_announcements(rules.dead_letters)
        warnings = [
            f"Some destinations cannot be notified: {warning}"
            for warning in delivery_warnings(rules.destinations, self.notifiers)
        ]
        warnings += [f"Some requests cannot be sent: {problem}" for problem in self.token_problems(rules)]
        try:
            warnings += missing_webhooks(self.inbox, self.sites.all, lambda site: self.desired_event_types(site, rules))
        except StoreUnavailable as error:
            # A server may start before its database does; it refuses events until then.
            log.warning("Missing webhooks not looked up, inbox unavailable: %s", error)
        for warning in warnings:
            if warning not in self._rules_warnings:
                log.warning("%s", warning)
        self._rules_warnings = warnings

    def import_receiver(self) -> None:
        """Import what a process needs to acknowledge its first event, before it forks."""
        driver = "sqlite" if self.settings.database_url.get_secret_value().startswith("sqlite") else "postgres"
        for name in (
            "observability.metrics",
            "inbox.server.counters",
            "inbox.events.events",
            f"inbox.databases.{driver}",
        ):
            import_module(f"webhooks.{name}")

    def import_parts(self) -> None:
        """Import what serves requests and runs jobs, before processes fork: they share it, and no request waits for it.

        `start_worker` imports the client of Tableau beside the first requests.
        """
        from webhooks.inbox import import_parts  # noqa: PLC0415 - see above

        import_parts(self.settings.database_url.get_secret_value())
        if self.settings.worker_threads:
            for name in ("context.runner", "monitor.assembly", "worker.worker"):
                import_module(f"webhooks.{name}")

    def import_clients(self) -> None:
        """Import what jobs use from the first one on, so that processes which are forked afterwards share it.

        Not where the process itself serves soon: its first response would wait for the HTTP library.
        """
        if not self.settings.worker_threads:
            return
        names = [
            "tableau_rest.client",
            "tableau_rest.sessions.encryption",
            "webhooks.active_rules",
            "webhooks.inbound.socket_mode",
            "webhooks.inbound.slack_presses",
            "webhooks.monitor.digest_clock",
            "webhooks.monitor.timer_clock",
            "webhooks.planner",
            "webhooks.worker.periodic",
        ]
        if self.settings.notifier_variables()["SLACK_TOKEN"]:
            names += ["notifiers.slack.client", "notifiers.slack.directory"]
        for name in names:
            import_module(name)

    def require_existing_inbox(self) -> None:
        """Create no inbox in this process, because there was one when the server started."""
        from webhooks.inbox import Migrate  # noqa: PLC0415 - see above

        self.migrate = Migrate.EXISTING

    def stand_by(self) -> None:
        """Start what a process needs that serves, and leave the jobs to another process, until `start_worker`."""
        self._start_serving()
        self._stands_by = True
        log.info("Worker not started, another process of this server runs the jobs")

    def _start_serving(self) -> None:
        # A process that starts to serve is the end of a possible outage, whether it has a worker or not.
        if self._worker is None and not self._stands_by:
            self.outages.record()
        self.counters.start(self.inbox.store)
        if self._heartbeat is None and self.settings.heartbeat_url.get_secret_value():
            self._heartbeat = self.heartbeat()
            self._heartbeat.start()

    def start_worker(self, processes: int = 1) -> None:
        """Start this process's embedded worker and monitor, unless WORKER_THREADS is 0.

        It has the threads of this number of processes. Threads do not survive a fork: call it in the process that
        serves, not before.
        """
        self._start_serving()
        if self.settings.worker_threads and self._worker is None:
            threads = self.settings.worker_threads * processes
            self.inbox.store.allow_connections(threads, processes)
            self._worker = self.worker(threads)
            if not self._claims:
                # The process was stopped meanwhile.
                self._worker.stop_claiming()
            self._worker.start()
            self._stands_by = False
            self.start_monitor()
            # Neither the first response nor the first job waits for the client and its HTTP library.
            threading.Thread(target=import_module, args=("tableau_rest.client",), daemon=True).start()

    def heartbeat(self) -> Heartbeat:
        """Return the heartbeat of this server, not started."""
        from webhooks.monitor.heartbeat import Heartbeat  # noqa: PLC0415 - see above

        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.settings.host, self.settings.host)  # noqa: S104 - ours
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        token = next(iter(self.settings.webhook_tokens()), "")
        path = f"/webhook/{quote(token, safe='')}" if token else "/webhook"
        return Heartbeat(lambda: self.inbox, f"http://{host}:{self.settings.port}{path}")

    def start_monitor(self) -> None:
        """Start the periodic checks in this process, unless there is no credential for Tableau, and Socket Mode."""
        from webhooks.inbound.socket_mode import build_socket_mode  # noqa: PLC0415 - see above
        from webhooks.monitor import Lookups, build_monitor, build_watch  # noqa: PLC0415 - see above

        self._socket_mode = build_socket_mode(self.inbox, self.notifiers, ca_bundle=self._ca_bundle)
        if self._socket_mode:
            self._socket_mode.start()

        self.counters.start(self.inbox.store)
        lookups = Lookups(
            self.client,
            self._desired_in_force,
            self._job_list_types_in_force,
            self.outages.last,
            lambda: self.active_rules.rules.watches,
        )
        built = [build(self.settings, self.inbox, self.sites.all, lookups) for build in (build_monitor, build_watch)]
        self._monitors = [monitor for monitor in built if monitor]
        for monitor in self._monitors:
            monitor.start()

    def socket_status(self) -> SocketStatus | None:
        """Return the state of the connection to Slack; None without SLACK_APP_TOKEN. Raises StoreUnavailable."""
        from webhooks.inbound.socket_mode import socket_status  # noqa: PLC0415 - see above

        if not self.settings.notifier_variables()["SLACK_APP_TOKEN"]:
            return None
        return socket_status(self.inbox, utc_now())

    def working(self) -> bool:
        """Return whether the embedded worker takes jobs, is switched off, or leaves them to another process."""
        switched_off = not self.settings.worker_threads or self._stands_by
        return switched_off or (self._worker is not None and self._worker.alive())

    def plans_events(self) -> bool:
        """Return whether events get planned: none has been the oldest unplanned one for `UNPLANNED_SECONDS`.

        The time since an event was received says nothing: after downtime, and in a replay, old events are unplanned.
        Always true without an embedded worker. Raises StoreUnavailable.
        """
        now, oldest = time.monotonic(), self.inbox.events.oldest_unplanned()
        if oldest is None or oldest != self._oldest_unplanned[0]:
            self._oldest_unplanned = (oldest, now)
        return not self.settings.worker_threads or now - self._oldest_unplanned[1] < UNPLANNED_SECONDS

    def idle(self) -> bool:
        """Return whether this process runs no job, and cannot hold the connection to Slack by which presses come."""
        return self._socket_mode is None and (self._worker is None or self._worker.idle())

    def stop_claiming(self) -> None:
        """Let the embedded worker take no more jobs. Returns at once, so that a signal handler may call it."""
        self._claims = False
        if self._worker is not None:
            self._worker.stop_claiming()

    def stop(self, grace: float = 20.0) -> None:
        """Stop Socket Mode, the monitor and, within `grace` seconds, the worker, then close the inbox."""
        if self._socket_mode is not None:
            self._socket_mode.stop()
        for monitor in self._monitors:
            monitor.stop()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        if self._worker is not None:
            self._worker.stop(grace)
        if "outages" in self.__dict__:
            self.outages.stop()
        if "empty_requests" in self.__dict__:
            self.empty_requests.stop()
        self.close()

    def close(self) -> None:
        """Close the inbox if it was opened."""
        if "inbox" in self.__dict__:
            self.counters.stop()
            self.inbox.close()
