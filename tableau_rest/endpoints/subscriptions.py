"""Subscriptions and data-driven alerts: who gets which mail by Tableau itself."""

from __future__ import annotations

from collections.abc import Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import child
from tableau_rest.protocol.luid import HasLuid, luid_of


class Subscriptions(Listing):
    """Subscriptions and data-driven alerts."""

    @endpoint("GET subscriptions", since="2.3", scope="tableau:subscriptions:read")
    def subscriptions(self, *, page_size: int = query.PAGE) -> Iterator[models.Subscription]:
        """The subscriptions of the site; administrators see everybody's."""
        names, model = ("subscriptions", "subscription"), models.Subscription.from_json
        return self._list("subscriptions", names, model, page_size=page_size)

    @endpoint("GET dataAlerts", since="3.2", scope="tableau:data_driven_alerts:read")
    def data_alerts(self, *, page_size: int = query.PAGE) -> Iterator[models.DataAlert]:
        """The data-driven alerts of the site, without their recipients."""
        names, model = ("dataAlerts", "dataAlert"), models.DataAlert.from_json
        return self._list("dataAlerts", names, model, page_size=page_size)

    @endpoint("GET dataAlerts/{id}", since="3.2", scope="tableau:data_driven_alerts:read", codes="404 NotFound")
    def data_alert(self, luid: str | HasLuid) -> models.DataAlert:
        """One data-driven alert, with its recipients."""
        return models.DataAlert.from_json(child(self.request("GET", f"dataAlerts/{luid_of(luid)}"), "dataAlert"))
