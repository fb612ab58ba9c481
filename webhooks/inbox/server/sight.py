"""The view of this server on a site, as the monitor remembered it: read without a request to Tableau."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from webhooks.clock import from_timestamp
from webhooks.inbox.server.state import State

# The monitor remembers it under this key.
SIGHT = "sight"
# Without a successful reading of Tableau for this long, as after downtime, nothing is known of the site.
STALE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SightRecord:
    """The last successful reading of a site, and what cannot be read since when (seconds since 1970).

    `hiding` are those of `lost` without which a refresh that no webhook reports stays unknown.
    """

    seen: float | None = None
    lost: Mapping[str, float] = field(default_factory=dict)
    hiding: frozenset[str] = frozenset()

    @classmethod
    def load(cls, state: State, suffix: str) -> Self:
        """Return what is remembered of a site; `suffix` is appended to the names of what is remembered of it."""
        return cls.from_json(state.get(SIGHT + suffix) or {})

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return what was remembered as this value."""
        return cls(found.get("seen"), found.get("lost", {}), frozenset(found.get("hiding", ())))

    def as_json(self) -> dict[str, Any]:
        """Return the value to remember."""
        return {"seen": self.seen, "lost": dict(self.lost), "hiding": sorted(self.hiding)}

    def unseen_since(self, now: datetime) -> datetime | None:
        """Return since when it is unknown what happens on the site; None while it is known, or if it is never read.

        A refresh that did not come in this time may have come: the incident `blind` says so, once for the site.
        """
        times = [at for source, at in self.lost.items() if source in self.hiding]
        if self.seen is not None and now - from_timestamp(self.seen) > STALE:
            times.append(self.seen)
        return from_timestamp(min(times)) if times else None
