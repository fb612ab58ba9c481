"""Look up which workbooks use the data sources of a site, some in each run of the checks, before a refresh fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tableau_rest.errors import NotIndexed, TableauError
from webhooks.inbox import Inbox
from webhooks.inbox.resources.downstream import DependentWorkbook

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

# The Metadata API has a rate limit of its own, which messages need as well.
MAX_LOOKUPS = 20
# Workbooks are connected to other data sources rarely. After a refusal, such as of a disabled API, ask a day later.
MAX_AGE, REFUSAL_AGE = timedelta(days=7), timedelta(days=1)
# Other checks wait for this one.
RUN_SECONDS = 30.0


class DependentsCheck:
    """Store the workbooks that use each data source of one site whose refreshes were reported."""

    def __init__(self, inbox: Inbox, tableau: Callable[[], Tableau]) -> None:
        self._inbox, self._tableau = inbox, tableau
        # Data sources that the Metadata API does not know, or not completely, and until when they are left out.
        self._unknown: dict[str, datetime] = {}
        self._refused_until: datetime | None = None

    def run(self, now: datetime) -> None:
        """Look up the data sources that are not known, and then those looked up longest ago. An error ends this run."""
        if self._refused_until and now < self._refused_until:
            return
        self._unknown = {luid: until for luid, until in self._unknown.items() if now < until}
        if not self._inbox.downstream.outdated(now - MAX_AGE, limit=1):
            return
        try:
            tableau = self._tableau()
            site_luid = tableau.session().site_luid.lower()
            found = self._inbox.downstream.outdated(
                now - MAX_AGE, site_luid=site_luid, limit=MAX_LOOKUPS + len(self._unknown)
            )
            deadline = time.monotonic() + RUN_SECONDS
            for luid in [one for one in found if one not in self._unknown][:MAX_LOOKUPS]:
                if time.monotonic() < deadline:
                    self._look_up(tableau, luid, now)
        except TableauError as error:
            log.info("Dependent workbooks not looked up: %s", error)
            if error.permanent:
                self._refused_until = now + REFUSAL_AGE

    def _look_up(self, tableau: Tableau, luid: str, now: datetime) -> None:
        try:
            found = tableau.downstream_workbooks(luid)
        except NotIndexed:
            found = None
        if found is None or not found.complete:
            self._unknown[luid] = now + REFUSAL_AGE
            return
        workbooks = [DependentWorkbook(one.luid, one.name, one.project_name, one.owner_name) for one in found.workbooks]
        self._inbox.downstream.save(luid, workbooks, now)
