"""Uses the credential once a day, so that it does not lapse, and tells in time when it is about to end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.event_types import CREDENTIAL_EXPIRING
from webhooks.inbox import Inbox
from webhooks.monitor.alerts import alert_on_change, prefix_site

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

USED = "credential used"
EVERY = timedelta(days=1)
"""A personal access token lapses after 15 days without a sign-in.
https://help.tableau.com/current/server/en-us/security_personal_access_tokens.htm"""


class CredentialCheck:
    """`look` may be called often; it asks Tableau once a day, and at the next call after a failure that passes.

    `site` is the site's name, where people have to be told which one; `key` stands behind what is noted of it.
    """

    def __init__(self, inbox: Inbox, tableau: Callable[[], Tableau], *, site: str = "", key: str = "") -> None:
        self._inbox, self._tableau, self._site, self._key = inbox, tableau, site, key

    def look(self, now: datetime) -> None:
        """Makes sure that the credential works. A refusal or a near end is told once; Tableau being away is no news."""
        used = self._inbox.state.get(USED + self._key)
        if used is not None and now.timestamp() - used < EVERY.total_seconds():
            return
        try:
            warning = self._tableau().keep_alive().warning
        except TableauError as error:
            if not error.permanent:
                log.warning("The sign-in to Tableau could not be tried this time: %s", error)
                return
            warning = str(error)
        # The days that are left change daily; the date and the refusal do not.
        text = prefix_site(self._site, warning)
        alert_on_change(self._inbox, CREDENTIAL_EXPIRING, _without_days(warning) or None, now, text, key=self._key)
        self._inbox.state.set(USED + self._key, now.timestamp())


def _without_days(warning: str) -> str:
    return "".join(letter for letter in warning if not letter.isdigit())
