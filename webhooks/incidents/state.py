"""The state of incidents as a function of runs and acts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from webhooks.incidents.incident import Act, Incident
from webhooks.incidents.run import Run

# A failure this soon after the closing belongs to the same incident.
FLAPPING = timedelta(minutes=30)


def state(runs: Iterable[Run], acts: Iterable[Act], now: datetime) -> tuple[Incident, ...]:
    """Return the incidents of one resource of the kind `failing`, oldest first; at most the last one is open.

    The order of `runs` and `acts` does not matter. Acts after `now` are ignored.
    """
    raise NotImplementedError
