"""Use the credential once a day, so that it does not lapse, and alert before it expires."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.event_types import CREDENTIAL_EXPIRING
from webhooks.monitor import sight
from webhooks.monitor.alerts import BLIND, CREDENTIAL, Alert, Alerts
from webhooks.monitor.sight import Sight

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

USED_AT = "credential used"
# A personal access token lapses after 15 days without a sign-in.
# https://help.tableau.com/current/server/en-us/security_personal_access_tokens.htm
INTERVAL = timedelta(days=1)


class CredentialCheck:
    """Verify that the credential of a site works; it asks Tableau once a day, and again after an error."""

    def __init__(self, alerts: Alerts, tableau: Callable[[], Tableau], sight: Sight | None = None) -> None:
        self._alerts, self._tableau = alerts, tableau
        self._sight = sight or Sight(alerts)

    def run(self, now: datetime) -> None:
        """Use the credential; alert once if Tableau rejects it or it expires soon."""
        used_at = self._alerts.recall(USED_AT)
        if used_at is not None and now.timestamp() - used_at < INTERVAL.total_seconds():
            return
        try:
            text = self._tableau().keep_alive().warning
        except TableauError as error:
            if not error.permanent:
                log.warning("Credential check postponed: %s", error)
                return
            alert = Alert(CREDENTIAL_EXPIRING, "Tableau rejects the credential", str(error), BLIND)
            self._sight.lost(sight.CREDENTIAL, alert, error, now)
            return
        self._sight.found(sight.CREDENTIAL)
        if text:
            # The number of days left changes daily, the rest of the text does not.
            state = "".join(letter for letter in text if not letter.isdigit())
            alert = Alert(CREDENTIAL_EXPIRING, "The credential for Tableau expires soon", text)
            self._alerts.send_on_change(alert, state, now)
        else:
            self._alerts.forget(CREDENTIAL_EXPIRING)
            self._alerts.close(CREDENTIAL, now, "the credential does not expire soon")
        self._alerts.remember(USED_AT, now.timestamp())
