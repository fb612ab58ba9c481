"""Checks of `flask doctor` on this machine: settings, inbox, disk, rules, backlog and dead letters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from webhooks.cli.doctor import sqlite_files
from webhooks.cli.doctor.results import CheckResult, failed, ok, skipped, warning
from webhooks.clock import utc_now
from webhooks.config import environment
from webhooks.config.probable_mistakes import NEW_TOKEN, SHORT_TOKEN, probable_mistakes
from webhooks.config.settings import doubtful_variables
from webhooks.destinations import delivery_warnings
from webhooks.errors import SchemaMismatch, StoreUnavailable
from webhooks.monitor.empty_requests import ADVICE
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services
from webhooks.text import count
from webhooks.views import formats

LOW_DISK_BYTES = 1024**3
FULL_DISK_BYTES = 100 * 1024**2
# A job or an event that has waited longer is overdue.
OVERDUE_SECONDS = 60
# Raised by an inbox that cannot be opened or used; the check of the database explains them.
INBOX_ERRORS = (StoreUnavailable, RuntimeError, OSError)


class LocalChecks:
    """The checks of this machine, one a method."""

    def __init__(self, services: Services, *, demo: bool = False) -> None:
        self._services = services
        self._demo = demo
        scheme, _, rest = services.settings.database_url.get_secret_value().partition("://")
        self._database_kind = scheme.partition("+")[0]
        # The file of a SQLite inbox.
        self._file = Path(rest.removeprefix("/").partition("?")[0]).resolve()

    def settings(self) -> Iterator[CheckResult]:
        settings = self._services.settings
        missing = settings.missing()
        sites = self._services.sites.all
        if settings.sites_file and missing:
            for error in missing:
                advice = "Correct the file; see docs/howto/several-sites.md."
                yield failed("settings", f"{settings.sites_file}: {error}", advice)
        elif settings.sites_file:
            yield ok("settings", f"{count(len(sites), 'site')}: {', '.join(site.name for site in sites)}")
        elif missing:
            advice = "Set them in .env or the environment; see example-env."
            yield failed("settings", f"not set: {', '.join(missing)}", advice)
        else:
            yield ok("settings", f"every variable that TABLEAU_AUTH={settings.tableau_auth} requires is set")
        slack_token = settings.notifier_variables()["SLACK_TOKEN"]
        for mistake in (*doubtful_variables(), *probable_mistakes(sites, slack_token=slack_token)):
            yield warning("settings", mistake, "Correct it, then run flask doctor again.")
        yield from self._webhook_token()
        secret_files = [path for path in (environment.ENV_FILE, settings.sites_file) if path]
        if exposed := [path for path in secret_files if path.is_file() and path.stat().st_mode & 0o006]:
            text = f"every user of this machine can read {' and '.join(map(str, exposed))}, which can contain secrets"
            command = sqlite_files.close_command(exposed, sqlite_files.Process.current())
            yield warning("settings", text, f"Run: {command}")

    def _webhook_token(self) -> Iterator[CheckResult]:
        settings = self._services.settings
        tokens = settings.webhook_tokens()
        if not tokens and self._demo:
            yield ok("token", "not set; the demo accepts requests of this machine only")
        elif not tokens:
            yield warning("token", "WEBHOOK_TOKEN is not set: requests are not authenticated", NEW_TOKEN)
        elif settings.has_short_token():
            yield warning("token", SHORT_TOKEN, NEW_TOKEN)
        elif len(tokens) > 1:
            yield ok("token", f"{len(tokens)} are valid; remove the old one after flask webhooks sync")
        else:
            yield ok("token", "set")

    def database(self) -> Iterator[CheckResult]:
        """Write and delete a row, which needs the disk, the schema and the permissions."""
        try:
            with self._services.inbox.sessions.lock("doctor"):
                size = self._services.inbox.store.size()
        except SchemaMismatch as error:
            # The sentence says what to do.
            yield failed("database", str(error), "")
            return
        except INBOX_ERRORS as error:
            advice = "Is DATABASE_URL correct, is the database running, is the disk full?"
            reason = f"not writable: {error}"
            if self._database_kind == "sqlite":
                with suppress(OSError):
                    process = sqlite_files.Process.current()
                    if found := sqlite_files.explain_unwritable(self._file, process):
                        reason, advice = f"not writable: {found[0]}", found[1]
            yield failed("database", reason, advice)
            return
        yield ok("database", f"{self._database_kind}, readable and writable, {size / 1024**2:.1f} MiB")
        if self._database_kind != "sqlite":
            return
        if owner := sqlite_files.foreign_owner(self._file, sqlite_files.Process.current()):
            text = f"this command runs as root, but the folder {self._file.parent} belongs to {owner}"
            yield warning("database", text, "Run commands as the server's user, or it cannot open files created here.")
        if exposed := sqlite_files.exposed_files(self._file):
            names = ", ".join(path.name for path in exposed)
            text = f"every user of this machine can read, lock or write the inbox in {self._file.parent}: {names}"
            command = sqlite_files.close_command(exposed, sqlite_files.Process.current())
            yield warning("database", text, f"Run: {command}")
        if remote := sqlite_files.remote_file_system(self._file, sqlite_files.read_mounts()):
            text = f"{self._file} is on a network file system ({remote}), where SQLite can lose data"
            yield warning("database", text, "Move it to a local disk, or use PostgreSQL (flask inbox move).")

    def disk(self) -> Iterator[CheckResult]:
        if self._database_kind != "sqlite":
            yield skipped("disk", "the inbox is not on this machine")
            return
        folder = next(parent for parent in self._file.parents if parent.exists())
        free = shutil.disk_usage(folder).free
        text = f"{free / 1024**3:.1f} GiB free in {folder}"
        if free < FULL_DISK_BYTES:
            yield failed("disk", text, "Free some space: without it no event can be stored.")
        elif free < LOW_DISK_BYTES:
            yield warning("disk", text, "Free some space soon.")
        else:
            yield ok("disk", text)

    def rules(self) -> Iterator[CheckResult]:
        try:
            rules = self._services.rules
        except (RulesError, RegistrationError) as error:
            yield failed("rules", str(error), "Correct it, then run flask rules check.")
            yield from self._rules_in_force()
            return
        yield ok("rules", f"{count(len(rules.rules), 'rule')} in {self._services.settings.rules_file.name}")
        yield from self._rules_in_force()
        for text in (*rules.warnings, *self._services.registry.warnings()):
            yield warning("rules", text, "flask rules test EVENT.json shows what a rule would do.")
        for text in delivery_warnings(rules.destinations, self._services.notifiers):
            yield failed("rules", text, "flask notify test NAME tries a notifier.")
        for text in self._services.token_problems(rules):
            yield failed("rules", text, "Add it to POST_TOKENS, as NAME=VALUE.")
        try:
            undeliverable = self._services.undeliverable()
        except (*INBOX_ERRORS, RegistrationError, RulesError):
            return
        for to in undeliverable:
            text = f"dead letters cannot be delivered to {to}: the last attempt failed"
            yield failed("rules", text, f"Correct it, then run flask notify test {to}; or change [dead_letters].")

    def _rules_in_force(self) -> Iterator[CheckResult]:
        """Compare the file with the rules that the servers of this inbox plan by."""
        try:
            problems = self._services.active_rules.problems()
        except (*INBOX_ERRORS, RegistrationError):
            return
        for text in problems:
            yield warning("rules", text, "flask rules history shows the versions and their servers.")

    def backlog(self) -> Iterator[CheckResult]:
        """Compare the ages of the oldest due job and of the oldest unplanned event with what is usual."""
        try:
            inbox = self._services.inbox
            counts = inbox.counts()
            oldest_event = next(iter(inbox.events.list(states=["received"], after=0, limit=1)), None)
        except INBOX_ERRORS:
            yield skipped("worker", "the inbox is not readable")
            return
        waited = counts["oldest_due"]
        if oldest_event and oldest_event.event.received_at:
            waited = max(waited, (utc_now() - oldest_event.event.received_at).total_seconds())
        waiting = f"{count(int(counts['ready']), 'job')} waiting"
        if counts["unplanned"]:
            waiting += f", {count(int(counts['unplanned']), 'event')} not planned"
        if waited > OVERDUE_SECONDS:
            advice = "Is a worker running? With WORKER_THREADS=0, start flask worker."
            yield warning("worker", f"{waiting}, the oldest for {formats.duration(waited)}", advice)
        else:
            yield ok("worker", f"{waiting}, none overdue")
        dead = int(counts["dead"])
        if dead:
            advice = "List: flask events list --state dead. Try again: flask events replay --dead"
            yield warning("dead letters", f"{count(dead, 'job')} dead-lettered", advice)
        else:
            yield ok("dead letters", "none")

    def bodies(self) -> Iterator[CheckResult]:
        """Return a warning if requests had no body for a while and there was no event; else nothing."""
        with suppress(*INBOX_ERRORS):
            if problem := self._services.empty_requests.problem():
                yield warning("events", problem, ADVICE)

    def socket_mode(self) -> Iterator[CheckResult]:
        """Return whether a server is connected to Slack; nothing without SLACK_APP_TOKEN."""
        try:
            status = self._services.socket_status()
        except INBOX_ERRORS:
            yield skipped("buttons", "the inbox is unavailable")
            return
        if status is not None and status.problem:
            owner = f" ({status.owner})" if status.owner else ""
            advice = "Check SLACK_APP_TOKEN, that Socket Mode is enabled for the app, and that the server runs."
            yield warning("buttons", f"Slack's Socket Mode: {status.problem}{owner}", advice)
        elif status is not None:
            since = f" since {formats.date_time(status.since)}" if status.since else ""
            yield ok("buttons", f"connected to Slack's Socket Mode by {status.owner}{since}")
