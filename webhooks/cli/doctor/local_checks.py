"""What `flask doctor` looks at on this machine: settings, inbox, disk, rules, backlog, dead letters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from webhooks.cli.doctor.finding import Finding, failed, ok, skipped, warning
from webhooks.destinations import delivery_warnings
from webhooks.errors import StoreUnavailable
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services
from webhooks.views import formats

SHORTEST_TOKEN = 16
LITTLE_BYTES = 1024**3
TOO_LITTLE_BYTES = 100 * 1024**2
LATE_SECONDS = 60
INBOX_FAULTS = (StoreUnavailable, RuntimeError, OSError)
"""What an inbox raises that cannot be opened or used; the check of the database tells why."""


class Inside:
    """The checks of this machine's side, one a method."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def settings(self) -> Iterator[Finding]:
        given = self._services.settings
        missing = given.missing()
        if given.sites_file:
            yield from self._sites()
        elif missing:
            names = ", ".join(missing)
            yield failed("settings", f"not set: {names}", "Set them in .env or the environment; see example-env.")
        else:
            yield ok("settings", f"all that TABLEAU_AUTH={given.tableau_auth} needs is set")
        tokens = given.webhook_tokens()
        if not tokens:
            advice = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(32))"'
            yield warning("token", "WEBHOOK_TOKEN is empty: whoever knows the address may send events", advice)
        elif min(map(len, tokens)) < SHORTEST_TOKEN:
            yield warning("token", "WEBHOOK_TOKEN is short and may be guessed", "Take one of 32 characters or more.")
        else:
            yield ok(
                "token", "set" if len(tokens) == 1 else f"{len(tokens)} are live; take the old one out once sync ran"
            )

    def _sites(self) -> Iterator[Finding]:
        given = self._services.settings
        for fault in given.missing():
            yield failed(
                "settings", f"{given.sites_file}: {fault}", "Mend it in that file; docs/howto/several-sites.md."
            )
        if not given.missing():
            names = ", ".join(site.name for site in self._services.sites.all)
            yield ok("settings", f"{formats.count(len(self._services.sites.all), 'site')}: {names}")

    def database(self) -> Iterator[Finding]:
        """By a write and a delete, which need the disk, the schema and the right to both."""
        try:
            with self._services.inbox.sessions.lock("doctor"):
                size = self._services.inbox.store.size()
        except INBOX_FAULTS as error:
            yield failed(
                "database", f"cannot be written: {error}", "Is DATABASE_URL right, the database up, the disk full?"
            )
        else:
            yield ok("database", f"{self._database()[0]}, written and read, {size / 1024**2:.1f} MiB")

    def disk(self) -> Iterator[Finding]:
        kind, path = self._database()
        if kind != "sqlite":
            yield skipped("disk", "the inbox is on the database's machine")
            return
        folder = next(one for one in Path(path).resolve().parents if one.exists())
        free = shutil.disk_usage(folder).free
        text = f"{free / 1024**3:.1f} GiB free in {folder}"
        if free < TOO_LITTLE_BYTES:
            yield failed("disk", text, "Make room: without it no event can be kept.")
        elif free < LITTLE_BYTES:
            yield warning("disk", text, "Make room soon.")
        else:
            yield ok("disk", text)

    def rules(self) -> Iterator[Finding]:
        try:
            rules = self._services.rules
        except (RulesError, RegistrationError) as error:
            yield failed("rules", str(error), "Mend it; flask rules check says whether all is well.")
            return
        yield ok("rules", f"{formats.count(len(rules.rules), 'rule')} in {self._services.settings.rules_file.name}")
        for text in (*rules.warnings, *self._services.registry.warnings()):
            yield warning("rules", text, "flask rules test EVENT.json tells what a rule would do.")
        for text in delivery_warnings(rules.destinations, self._services.notifiers):
            yield failed("rules", text, "flask notify test slack, and the like, tries one.")

    def backlog(self) -> Iterator[Finding]:
        try:
            counts = self._services.inbox.counts()
        except INBOX_FAULTS:
            yield skipped("worker", "the inbox cannot be read")
            return
        waited = counts["oldest_due"]
        waiting = f"{counts['ready']:.0f} jobs wait, {counts['unplanned']:.0f} events are not planned yet"
        if waited > LATE_SECONDS or counts["unplanned"] > 100:
            advice = "Does a worker run? WORKER_THREADS=0 needs flask worker."
            yield warning("worker", f"{waiting}, the oldest for {formats.duration(waited)}", advice)
        else:
            yield ok("worker", f"{waiting}; none is late")
        dead = int(counts["dead"])
        if dead:
            advice = "See flask events list --state dead; again: flask events replay --dead"
            yield warning("dead letters", f"{formats.count(dead, 'job')} could not be done", advice)
        else:
            yield ok("dead letters", "none")

    def _database(self) -> tuple[str, str]:
        """The kind of database, and for SQLite its file."""
        scheme, _, rest = self._services.settings.database_url.get_secret_value().partition("://")
        return scheme.partition("+")[0], rest.removeprefix("/").partition("?")[0]
