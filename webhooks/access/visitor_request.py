"""The parts that requests for a page and to the API have in common: what the visitor may see, and how it is shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from webhooks.inbox.access.visible import VisibleInbox
from webhooks.views import formats
from webhooks.views.addresses import address_of
from webhooks.views.limits import scope_of
from webhooks.views.silence_wording import in_force

if TYPE_CHECKING:
    from webhooks.access.visitors import Visitor
    from webhooks.inbox import IncidentRecord
    from webhooks.incidents.silences import ActiveSilence, Silence
    from webhooks.services import Services


class VisitorRequest(ABC):
    """A request at the time `now`, of a visitor who may be limited to sites and projects."""

    services: Services
    now: datetime

    @property
    @abstractmethod
    def person(self) -> Visitor:
        """Return the visitor."""

    @cached_property
    def inbox(self) -> VisibleInbox:
        """The inbox as far as the visitor may see it."""
        return VisibleInbox(self.services.inbox, scope_of(self.person.scope, self.services.sites))

    @property
    def sees_everything(self) -> bool:
        """Return whether the visitor is not limited to sites and projects."""
        return self.inbox.scope.is_whole

    def when(self, moment: datetime) -> str:
        """Return a time in words, in TIMEZONE: `02:14`, `yesterday 23:10`, `24 Nov 23:10`."""
        return formats.local_time(moment, self.now, self.services.settings.zone)

    def address(self, destination: str) -> str:
        """Return the address of a destination without the kind of its notifier."""
        return address_of(destination, self.services.notifiers)

    def site_name(self, site_luid: str) -> str:
        """Return the name of the site with that LUID; empty if there is only one site."""
        return self.services.sites.shown_name(site_luid)

    def silences_of(self, records: Sequence[IncidentRecord]) -> Mapping[int, ActiveSilence]:
        """Return the silence in force for each of these incidents, by its number."""
        return in_force(self._silences, records, self.site_name, self.now)

    @cached_property
    def _silences(self) -> Sequence[Silence]:
        return self.inbox.silences.since(self.now)

    def record(self, act: str, subject: str, details: str = "") -> None:
        """Append to the audit log what the visitor does."""
        person = self.person
        self.services.inbox.audit.record(
            by=person.name, origin=person.origin, act=act, subject=subject, details=details
        )
