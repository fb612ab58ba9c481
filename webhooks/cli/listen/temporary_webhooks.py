"""The webhooks of one `flask listen`: registered at its start, removed at its end, found again after a SIGKILL."""

from __future__ import annotations

import fcntl
import getpass
import re
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tableau_rest import TableauError
from webhooks.cli.listen.own_inbox import run_key
from webhooks.cli.support.exit_codes import Failure
from webhooks.config.settings import Settings
from webhooks.config.site import Site
from webhooks.registration import apply_changes, compare, is_ours
from webhooks.services import Services

if TYPE_CHECKING:
    from tableau_rest import Tableau

# A Tableau that does not respond must not keep the command from ending.
REMOVE_SECONDS = 8.0


def default_label() -> str:
    """Return the prefix of the webhooks' names: constant for one user on one machine, unlike any other's."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return "tableau-webhooks listen " + re.sub(r"\s+", "-", f"{user}@{socket.gethostname()}")


@contextmanager
def lock_label(settings: Settings, label: str) -> Iterator[None]:
    """Hold a lock on the label. Raise Failure if another run holds it: it would take over that run's webhooks.

    The kernel releases the lock however the process ends.
    """
    name = f"tableau-webhooks-{run_key(settings, label)}.lock"
    with (Path(tempfile.gettempdir()) / name).open("a") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = "Another flask listen is already running for this site. To run both, use another --label."
            raise Failure(text) from None
        yield


class TemporaryWebhooks:
    """The webhooks with one label on these sites."""

    def __init__(self, services: Services, sites: Sequence[Site], label: str, events: tuple[str, ...]) -> None:
        self._services, self._sites, self._label, self.events = services, sites, label, events

    def register(self, site: Site, tableau: Tableau, url: str) -> None:
        """Create the missing webhooks, and adopt those of a killed run. Raise Failure if Tableau refuses one."""
        if not self.events:
            raise Failure("No rule or handler needs an event. Choose events with --events.")
        existing = tableau.webhooks()
        self._services.sites.luid(site)  # rules may name the site by its LUID
        desired = [event for event in self.events if not site.name or event in self._services.desired_event_types(site)]
        changes = compare(existing, desired, url=url, label=self._label)
        errors = [
            f"{outcome.change.event_type}: {outcome.error}"
            for outcome in apply_changes(changes, tableau)
            if outcome.error
        ]
        if errors:
            raise Failure(f"Tableau refused webhooks. {' '.join(errors)}")

    def test(self) -> str:
        """Return the error of a test of one webhook; empty if it succeeds or cannot be run."""
        try:
            tableau = self._services.client(self._sites[0])
            ours = [webhook for webhook in tableau.webhooks() if is_ours(webhook, self._label)]
            result = tableau.test_webhook(ours[0]) if ours else None
        except TableauError:
            return ""
        if result is None or result.ok:
            return ""
        return f"Tableau cannot deliver to this URL: {result.status} {result.body}".rstrip()

    def remove(self) -> str:
        """Delete all webhooks with the label; return the errors, empty if there are none, within REMOVE_SECONDS."""
        errors = ["Tableau did not respond in time."]

        def remove_all() -> None:
            found = []
            for site in self._sites:
                try:
                    tableau = self._services.client(site)
                    changes = compare(tableau.webhooks(), [], url="", label=self._label)
                    found += [str(outcome.error) for outcome in apply_changes(changes, tableau) if outcome.error]
                except (TableauError, RuntimeError) as error:
                    found.append(str(error))
            errors[:] = found

        thread = threading.Thread(target=remove_all, name="webhook removal", daemon=True)
        thread.start()
        thread.join(REMOVE_SECONDS)
        return f"Could not remove the webhooks: {' '.join(errors)}" if errors else ""
