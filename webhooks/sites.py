"""The sites in use: a Tableau client for each, made when first needed, and which of them an event comes from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from webhooks.config.site import Site
from webhooks.errors import Permanent
from webhooks.event import Event
from webhooks.inbox import Inbox

if TYPE_CHECKING:
    from tableau_rest import Tableau

LEARNT = "site_luid"


class UnknownSite(Permanent):
    """An event comes from a site that the server has no credential for."""


class Sites:
    """The sites that the server knows, in their file's order. Thread-safe.

    A `site_luid` that the file leaves out is learnt at sign-in and noted in the inbox, for all processes and starts.
    """

    def __init__(self, sites: Sequence[Site], inbox: Callable[[], Inbox]) -> None:
        self.all = tuple(sites)
        self._inbox = inbox
        self._lock = threading.Lock()
        self._clients: dict[str, Tableau] = {}
        self._luids = {site.key: site.site_luid for site in self.all if site.site_luid}

    @property
    def several(self) -> bool:
        """Whether messages and lists have to say which site is meant."""
        return len(self.all) > 1

    def client(self, site: Site) -> Tableau:
        """The site's client, the same for all threads; its session is shared with every process through the inbox.

        Raises ValueError for a credential that cannot be one.
        """
        from tableau_rest import Tableau  # noqa: PLC0415 — commands that never ask Tableau start without it

        with self._lock:
            if site.key not in self._clients:
                self._clients[site.key] = Tableau(
                    site.domain,
                    site.sitename,
                    site.credential(),
                    api_version=site.restapi_version or None,
                    sessions=self._inbox().sessions,
                    session_minutes=site.session_minutes,
                )
            return self._clients[site.key]

    def luid(self, site: Site) -> str:
        """The site's LUID; signs in where nobody knows it yet. Raises TableauError."""
        return self.known_luid(site) or self._signed_in(site)

    def _signed_in(self, site: Site) -> str:
        """Also for one that is known: a site may be made anew under its old address."""
        luid = self.client(site).session().site_luid.lower()
        if luid != self._luids.get(site.key):
            self._inbox().state.set(f"{LEARNT} {site.key}", luid)
            self._luids[site.key] = luid
        return luid

    def known_luid(self, site: Site) -> str:
        """The site's LUID; empty as long as nobody has signed in there. Asks the inbox at most."""
        if site.key not in self._luids and (noted := self._inbox().state.get(f"{LEARNT} {site.key}")):
            self._luids[site.key] = noted
        return self._luids.get(site.key, "")

    def labelled(self, event: Event) -> Event:
        """The event with its site's name, as far as that is known without asking Tableau."""
        return replace(event, site=self._name(event)) if any(site.name for site in self.all) else event

    def _name(self, event: Event) -> str | None:
        """None where it may be one of the sites whose LUID is still to be learnt."""
        if not self.several and not self.known_luid(self.all[0]):
            return self.all[0].name
        wanted = _folded(event.site_luid)
        names = {self.known_luid(site): site.name for site in self.all}
        return names.get(wanted) if wanted and wanted in names else (None if wanted and "" in names else "")

    def label(self, event: Event) -> str:
        """The name to tell people; empty where there is one site only, or the event is none of theirs."""
        return (event.site or self._name(event) or "") if self.several else ""

    def of(self, event: Event) -> Site:
        """The site that the event comes from; the only one, where there is no other.

        Signs in where a LUID is to be learnt. Raises UnknownSite naming those there are, and what may pass of what
        Tableau raises.
        """
        if not self.several:
            return self.all[0]
        wanted = _folded(event.site_luid)
        for site in self.all:
            if wanted and self.known_luid(site) == wanted:
                return site
        return self._learn(wanted)

    def _learn(self, wanted: str) -> Site:
        from tableau_rest.errors import TableauError  # noqa: PLC0415

        troubles: list[TableauError] = []
        for site in (one for one in self.all if wanted and not one.site_luid):
            try:
                if self._signed_in(site) == wanted:
                    return site
            except TableauError as error:
                troubles.append(error)
        passing = [error for error in troubles if not error.permanent]
        if passing:
            raise passing[0]
        raise UnknownSite(f"the site {wanted or '(none given)'} is none of those the server knows: {self._listed()}")

    def _listed(self) -> str:
        told = (f"{site.name} ({self.known_luid(site) or 'cannot be signed in to'})" for site in self.all)
        return ", ".join(told)


def _folded(luid: Any) -> str:
    return luid.lower() if isinstance(luid, str) else ""
