"""Subscriptions and data-driven alerts: the e-mails that Tableau itself sends."""

from __future__ import annotations

from collections.abc import Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of


class Subscriptions(Listing):
    """Subscriptions and data-driven alerts.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_subscriptions.htm
    """

    @endpoint("GET subscriptions", since="2.3", scope="tableau:subscriptions:read")
    def subscriptions(self, *, page_size: int = query.PAGE_SIZE) -> Iterator[models.Subscription]:
        """Iterate over the subscriptions of the site; administrators see those of all users."""
        names = ("subscriptions", "subscription")
        return self._list("subscriptions", names, models.Subscription, page_size=page_size)

    @endpoint("GET subscriptions/{id}", since="2.3", scope="tableau:subscriptions:read", codes="404 NotFound")
    def subscription(self, luid: str | HasLuid) -> models.Subscription:
        """Return a subscription with its subject, content and recipient."""
        return self._get(models.Subscription, f"subscriptions/{luid_of(luid)}", "subscription")

    @endpoint("GET dataAlerts", since="3.2", scope="tableau:data_driven_alerts:read")
    def data_alerts(self, *, page_size: int = query.PAGE_SIZE) -> Iterator[models.DataAlert]:
        """Iterate over the data-driven alerts of the site, without their recipients."""
        return self._list("dataAlerts", ("dataAlerts", "dataAlert"), models.DataAlert, page_size=page_size)

    @endpoint("GET dataAlerts/{id}", since="3.2", scope="tableau:data_driven_alerts:read", codes="404 NotFound")
    def data_alert(self, luid: str | HasLuid) -> models.DataAlert:
        """Return one data-driven alert with its recipients."""
        return self._get(models.DataAlert, f"dataAlerts/{luid_of(luid)}", "dataAlert")
