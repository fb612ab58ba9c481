"""Join open incidents of one cause, so that a database that is down is one thing on the page and not two hundred."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from webhooks.incidents.wording import NOUNS
from webhooks.text import count

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord

# Incidents of one database, and incidents with the same reason, from which on they are shown as one.
LEAST_OF_DATABASE, LEAST_OF_REASON = 3, 5


@dataclass(frozen=True, slots=True)
class Cluster:
    """Several open incidents of one cause. `database` is what they all read; empty if only their reason is the same."""

    database: str
    records: Sequence[IncidentRecord]

    @property
    def title(self) -> str:
        """The cause and the number of contents: `warehouse.acme.example: 11 data sources`."""
        kinds = {record.incident.resource_kind for record in self.records}
        noun = NOUNS.get(kinds.pop(), "content") if len(kinds) == 1 else "content"
        number = count(len(self.records), noun)
        return f"{self.database}: {number}" if self.database else f"{number} with the same reason"

    @property
    def since(self) -> datetime:
        """The time of the first failure."""
        return min(record.incident.opened_at for record in self.records)

    @property
    def has_one_reason(self) -> bool:
        """Return whether the reasons of all are of the same class."""
        return len({record.incident.reason_class for record in self.records}) == 1

    @property
    def owners(self) -> int:
        """The number of known owners."""
        return len({record.details.owner for record in self.records if record.details.owner})

    @property
    def projects(self) -> int:
        """The number of known projects."""
        return len({record.details.project for record in self.records if record.details.project})


def cluster(records: Sequence[IncidentRecord]) -> list[IncidentRecord | Cluster]:
    """Return the incidents in their order, those of one cause as one where the first of them is.

    Only failing content that no one takes care of is joined: an acknowledged incident stays visible.
    """
    free = [one for one in records if one.incident.kind == "failing" and one.incident.state == "open"]
    found: dict[int, Cluster] = {}
    for database, members in _groups(free, by_database=True):
        left = [one for one in members if one.id not in found]
        if len(left) >= LEAST_OF_DATABASE:
            found |= dict.fromkeys((one.id for one in left), Cluster(database, left))
    for _, members in _groups([one for one in free if one.id not in found], by_database=False):
        if len(members) >= LEAST_OF_REASON:
            found |= dict.fromkeys((one.id for one in members), Cluster("", members))
    shown: list[IncidentRecord | Cluster] = []
    seen: set[int] = set()
    for one in records:
        joined = found.get(one.id)
        if joined is None:
            shown.append(one)
        elif id(joined) not in seen:
            seen.add(id(joined))
            shown.append(joined)
    return shown


def _groups(records: Sequence[IncidentRecord], *, by_database: bool) -> list[tuple[str, list[IncidentRecord]]]:
    """Return the incidents by their databases or by their reasons, the largest group first."""
    groups: defaultdict[str, list[IncidentRecord]] = defaultdict(list)
    for one in records:
        keys = (one.details.upstream or ()) if by_database else (one.incident.reason,)
        for key in filter(None, keys):
            groups[key].append(one)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
