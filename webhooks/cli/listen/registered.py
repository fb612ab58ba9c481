"""The webhooks of one `flask listen`: made at its start, removed at its end, found again after a kill -9."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import re
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tableau_rest import TableauError
from webhooks.cli.support.exit_codes import Failure
from webhooks.config.settings import Settings
from webhooks.config.site import Site
from webhooks.registration import apply_changes, compare, is_ours
from webhooks.services import Services

if TYPE_CHECKING:
    from tableau_rest import Tableau

REMOVE_SECONDS = 8.0
"""A Tableau that does not answer must not keep anybody from leaving."""


def whose() -> str:
    """The start of the webhooks' names: the same each time for one person on one machine, and for nobody else."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return "tableau-webhooks listen " + re.sub(r"\s+", "-", f"{user}@{socket.gethostname()}")


@contextmanager
def alone(settings: Settings, label: str) -> Iterator[None]:
    """Keeps a second run with the same label on the same site away; it would take the webhooks of the first.

    The kernel ends the lock with the process, whatever ends that.
    """
    sites = "\n".join(f"{site.domain}\n{site.sitename}" for site in settings.sites())
    key = hashlib.sha256(f"{sites}\n{label}".encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"tableau-webhooks-{key}.lock").open("a") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure("A flask listen for this site runs already; with another --label two can.") from None
        yield


def rules_for(events: Sequence[str]) -> str:
    """A rules file that tells the default destination about these events."""
    return (
        f'[[rule]]\nname = "flask listen"\non = {json.dumps(list(events))}\n'
        'notify = { to = "default", picture = true }\n\n[dead_letters]\nnotify = "default"\n'
    )


class Registered:
    """The webhooks with one label on these sites, as far as this process makes them."""

    def __init__(self, services: Services, sites: Sequence[Site], label: str, events: tuple[str, ...]) -> None:
        self._services, self._sites, self._label, self.events = services, sites, label, events

    def make(self, site: Site, tableau: Tableau, url: str) -> None:
        """Creates what is missing, and takes over what a killed run left. Raises Failure where Tableau refuses one."""
        if not self.events:
            raise Failure("No rule and no handler needs an event, so there is nothing to listen to; see --events.")
        there, events = tableau.webhooks(), self._wanted(site)
        steps = compare(there, events, url=url, label=self._label)
        refused = [f"{one.change.event_type}: {one.error}" for one in apply_changes(steps, tableau) if one.error]
        if refused:
            raise Failure("Tableau refuses webhooks. " + " ".join(refused))

    def _wanted(self, site: Site) -> list[str]:
        """Of the events those that the rules want of this site."""
        self._services.sites.luid(site)
        return [event for event in self.events if not site.name or event in self._services.wanted(site)]

    def problem(self) -> str:
        """What a test of one webhook says is wrong; empty where it is fine or cannot be said."""
        try:
            tableau = self._services.client(self._sites[0])
            ours = [one for one in tableau.webhooks() if is_ours(one, self._label)]
            result = tableau.test_webhook(ours[0]) if ours else None
        except TableauError:
            return ""
        if result is None or result.ok:
            return ""
        return f"Tableau cannot deliver to that URL: {result.status} {result.body}".rstrip()

    def remove(self) -> str:
        """Deletes all with the label, within seconds; gives what went wrong in words, or nothing."""
        errors = ["Tableau did not answer in time."]
        thread = threading.Thread(target=lambda: self._remove(errors), name="removal", daemon=True)
        thread.start()
        thread.join(REMOVE_SECONDS)
        return f"The webhooks could not be removed: {' '.join(errors)}" if errors else ""

    def _remove(self, errors: list[str]) -> None:
        errors[:] = [text for site in self._sites for text in self._remove_from(site)]

    def _remove_from(self, site: Site) -> list[str]:
        try:
            tableau = self._services.client(site)
            steps = compare(tableau.webhooks(), [], url="", label=self._label)
            return [str(one.error) for one in apply_changes(steps, tableau) if one.error]
        except (TableauError, RuntimeError) as error:
            return [str(error)]
