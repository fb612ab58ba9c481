"""The sites in use: a Tableau client for each, created on first use, and which of them an event comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from webhooks.config.site import Site
from webhooks.errors import Permanent
from webhooks.event import Event
from webhooks.forks import Lock
from webhooks.observability.tracing import tableau_call

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.errors import TableauError
    from webhooks.inbox import Inbox

# The key of a site's LUID in the inbox's state, followed by the site's own key.
LUID_KEY = "site_luid"
# Begins the names of sites among the services for which jobs wait; alone, it is a site that is not known yet.
SERVICE = "tableau"


class UnknownSite(Permanent):
    """An event comes from a site for which the server has no credential."""


class Sites:
    """The sites of the server, in the order of their file. Thread-safe.

    A `site_luid` that the file leaves out is learned at sign-in and stored in the inbox, for all processes and starts.
    """

    def __init__(self, sites: Sequence[Site], inbox: Callable[[], Inbox], *, ca_bundle: str = "") -> None:
        self.all = tuple(sites)
        self._inbox = inbox
        self._ca_bundle = ca_bundle
        self._lock = Lock()
        self._clients: dict[str, Tableau] = {}
        self._luids = {site.key: site.site_luid for site in self.all if site.site_luid}

    @property
    def several(self) -> bool:
        """Return whether messages and lists have to name the site."""
        return len(self.all) > 1

    def client(self, site: Site) -> Tableau:
        """Return the site's client, the same for all threads; the inbox shares its session with every process.

        Raises ValueError for an invalid credential.
        """
        from tableau_rest import Tableau  # noqa: PLC0415 - commands that send no request to Tableau start without it

        with self._lock:
            if site.key not in self._clients:
                self._clients[site.key] = Tableau(
                    site.domain,
                    site.sitename,
                    site.credential(),
                    api_version=site.restapi_version or None,
                    sessions=self._inbox().sessions,
                    session_minutes=site.session_minutes,
                    ca_bundle=self._ca_bundle,
                    observe=self._observer(site),
                )
            return self._clients[site.key]

    def name_service(self, error: TableauError, site: Site | None) -> None:
        """Let the error name the site if it is unavailable, so that jobs can wait for it."""
        if site is not None and error.unavailable and not error.service:
            error.service = service_of(site)

    def known_site(self, event: Event) -> Site | None:
        """Return the site that the event comes from if that is known without a request to Tableau."""
        if not self.several:
            return self.all[0]
        luid = _lowercase(event.site_luid)
        return next((site for site in self.all if luid and self.known_luid(site) == luid), None)

    def _observer(self, site: Site) -> Callable[[str, str], AbstractContextManager[Callable[[int], object]]]:
        """Return the function that observes each request: a response of the site ends its outage."""
        service = service_of(site)

        @contextmanager
        def observe(method: str, path: str) -> Iterator[Callable[[int], object]]:
            with tableau_call(method, path) as respond:

                def responded(status: int) -> None:
                    respond(status)
                    if status < 500:
                        self._inbox().outages.responded(service)

                yield responded

        return observe

    def luid(self, site: Site) -> str:
        """Return the site's LUID, signing in if it is not known yet. Raises TableauError."""
        return self.known_luid(site) or self._luid_by_sign_in(site)

    def known_luid(self, site: Site) -> str:
        """Return the site's LUID without a request to Tableau, empty if there was no sign-in yet."""
        if site.key not in self._luids and (stored := self._inbox().state.get(f"{LUID_KEY} {site.key}")):
            self._learn(site, stored)
        return self._luids.get(site.key, "")

    def shown_name(self, site_luid: str) -> str:
        """Return the name of the site with that LUID, as messages and lists show it: empty if there is only one."""
        names = (site.name for site in self.all if self.known_luid(site) == site_luid.lower())
        return next(names, "") if self.several else ""

    def with_site(self, event: Event) -> Event:
        """Return the event with its site's name as far as it is known without a request to Tableau."""
        return replace(event, site=self._known_name(event)) if any(site.name for site in self.all) else event

    def label(self, event: Event) -> str:
        """Return the site's name for messages, empty if there is only one site or the event is of none of them."""
        return (event.site or self._known_name(event) or "") if self.several else ""

    def site_of(self, event: Event) -> Site:
        """Return the site that the event comes from; if there is only one, that one.

        Signs in to sites whose LUID is not known yet. Raises UnknownSite with the sites there are, and TableauError if
        a site cannot be reached now.
        """
        found = self.known_site(event)
        if found is not None:
            return found
        luid = _lowercase(event.site_luid)
        from tableau_rest.errors import TableauError  # noqa: PLC0415 - as in `client`

        errors: list[TableauError] = []
        for site in (one for one in self.all if luid and not one.site_luid):
            try:
                if self._luid_by_sign_in(site) == luid:
                    return site
            except TableauError as error:
                self.name_service(error, site)
                errors.append(error)
        temporary = [error for error in errors if not error.permanent]
        if temporary:
            if len(temporary) > 1 and temporary[0].service:
                # It may be any of them.
                temporary[0].service = SERVICE
            raise temporary[0]
        known = ", ".join(f"{site.name} ({self.known_luid(site) or 'sign-in failed'})" for site in self.all)
        raise UnknownSite(f"No credential for the event's site {luid or '(no site_luid)'}. Known sites: {known}.")

    def _known_name(self, event: Event) -> str | None:
        """Return the name of the event's site; None if it may be a site whose LUID is not known yet."""
        if not self.several and not self.known_luid(self.all[0]):
            return self.all[0].name
        luid = _lowercase(event.site_luid)
        names = {self.known_luid(site): site.name for site in self.all}
        if luid and luid in names:
            return names[luid]
        return None if luid and "" in names else ""

    def _luid_by_sign_in(self, site: Site) -> str:
        """Return the LUID that Tableau names, also for a known one: a site can be created again at its old address."""
        luid = self.client(site).session().site_luid.lower()
        if luid != self._luids.get(site.key):
            self._inbox().state.set(f"{LUID_KEY} {site.key}", luid)
            self._learn(site, luid)
        return luid

    def _learn(self, site: Site, luid: str) -> None:
        self._luids[site.key] = luid
        if self.several:
            # Jobs of events of this site could not tell which one they wait for.
            self._inbox().outages.responded(SERVICE)


def service_of(site: Site) -> str:
    """Return the name of the site among the services for which jobs wait."""
    return f"{SERVICE} {site.name}".strip()


def _lowercase(luid: Any) -> str:
    return luid.lower() if isinstance(luid, str) else ""
