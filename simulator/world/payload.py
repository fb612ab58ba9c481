"""The body of a webhook, byte for byte as Tableau writes it. Pure.

https://help.tableau.com/current/developer/webhooks/en-us/docs/webhooks-events-payload.html
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

# The resource of all six refresh events; only the event type names the kind of content.
EXTRACTS = "EXTRACTS"
RESOURCES = {
    "AdminPromoted": "USER",
    "AdminDemoted": "USER",
    "UserDeleted": "USER",
    "DatasourceCreated": "DATASOURCE",
    "DatasourceUpdated": "DATASOURCE",
    "DatasourceDeleted": "DATASOURCE",
    "DatasourceRefreshStarted": EXTRACTS,
    "DatasourceRefreshSucceeded": EXTRACTS,
    "DatasourceRefreshFailed": EXTRACTS,
    "LabelCreated": "WORKBOOK",  # or DATASOURCE: the labelled content
    "LabelUpdated": "WORKBOOK",
    "LabelDeleted": "WORKBOOK",
    "SiteCreated": "SITE",
    "SiteUpdated": "SITE",
    "SiteDeleted": "SITE",
    "ViewDeleted": "VIEW",
    "WorkbookCreated": "WORKBOOK",
    "WorkbookUpdated": "WORKBOOK",
    "WorkbookDeleted": "WORKBOOK",
    "WorkbookRefreshStarted": EXTRACTS,
    "WorkbookRefreshSucceeded": EXTRACTS,
    "WorkbookRefreshFailed": EXTRACTS,
}

# What happens without a webhook: only Tableau's list of jobs shows it.
WITHOUT_WEBHOOK = {
    "FlowRunFailed": "FLOW",
    "FlowRunSucceeded": "FLOW",
    "SubscriptionFailed": "SUBSCRIPTION",
    "BridgeRefreshFailed": "DATASOURCE",
}

# The names of webhook-source elements. Two are irregular; label-deleted is spelt as in the schema, not as in the docs.
SOURCES = {
    event: "webhook-source-event-" + "".join(f"-{c.lower()}" if c.isupper() else c for c in event).lstrip("-")
    for event in RESOURCES
} | {"AdminPromoted": "webhook-event-user-promoted-admin", "AdminDemoted": "webhook-event-user-demoted-admin"}
EVENTS = {source: event for event, source in SOURCES.items()}


def body(fields: dict[str, object]) -> bytes:
    """Return a payload as compact JSON."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def payload(
    event_type: str, *, resource: str, name: str, luid: str, site: str, at: datetime, text: bool
) -> dict[str, object]:
    """Return the six fields of an event, and with `text` the seventh; only `text` has milliseconds."""
    fields: dict[str, object] = {
        "resource": resource,
        "event_type": event_type,
        "resource_name": name,
        "site_luid": site,
        "resource_luid": luid,
        "created_at": (at + timedelta(milliseconds=500)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if text:
        posted = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
        fields["text"] = f"Event {event_type} for resource {name}: {luid} on site {site} posted at {posted}"
    return fields
