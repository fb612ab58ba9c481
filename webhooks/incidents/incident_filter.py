"""Select stored incidents. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

# The states of incidents that have not ended, those that need someone first.
OPEN_STATES = ("open", "snoozed", "acknowledged")


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Conditions on incidents; of several values of one kind, one has to match, and none matches everything.

    `resources` are LUIDs or names, `projects` names or paths, `owners` names or e-mail addresses; all with `*` and `?`.
    `since` leaves out those that were closed before.
    """

    states: Collection[str] = ()
    kinds: Collection[str] = ()
    resources: Collection[str] = ()
    projects: Collection[str] = ()
    owners: Collection[str] = ()
    since: datetime | None = None

    def __bool__(self) -> bool:
        return any((self.states, self.kinds, self.resources, self.projects, self.owners, self.since))


EVERY_INCIDENT = IncidentFilter()
