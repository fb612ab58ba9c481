"""The representations of webhooks, labels, subscriptions and data alerts."""

from __future__ import annotations

from simulator.tableau.resources.users import owner, reference
from simulator.tableau.wire import Document, format_time
from simulator.world.site import DataAlert, Label, Site, Subscription, Webhook


def webhook(site: Site, item: Webhook, source: str) -> Document:
    """Return a webhook, with its event in the new and in the old notation."""
    return {
        "id": item.luid,
        "name": item.name,
        "event": item.event,
        "isEnabled": item.is_enabled,
        "statusChangeReason": item.status_change_reason,
        "createdAt": format_time(item.created_at),
        "updatedAt": format_time(item.updated_at),
        "webhook-source": {source: {}},
        "webhook-destination": {"webhook-destination-http": {"method": "POST", "url": item.url}},
        "owner": owner(site, item.owner),
    }


def warning(site: Site, item: Label) -> Document:
    """Return a label as a data quality warning."""
    return {
        "id": item.luid,
        "userDisplayName": site.users[item.user].full_name if item.user in site.users else "",
        "contentId": item.content,
        "contentType": item.content_kind.upper(),
        "message": item.message,
        "type": item.value,
        "isActive": item.active,
        "isSevere": item.elevated,
        "createdAt": format_time(item.created_at),
        "updatedAt": format_time(item.updated_at),
        "site": {"id": site.luid},
        "owner": {"id": item.user},
    }


def label(site: Site, item: Label) -> Document:
    """Return a label of an asset."""
    return {
        "id": item.luid,
        "contentId": item.content,
        "contentType": item.content_kind,
        "value": item.value,
        "category": item.category,
        "message": item.message,
        "active": item.active,
        "elevated": item.elevated,
        "createdAt": format_time(item.created_at),
        "updatedAt": format_time(item.updated_at),
        "userDisplayName": site.users[item.user].full_name if item.user in site.users else "",
        "owner": {"id": item.user},
        "site": {"id": site.luid},
    }


def subscription(site: Site, item: Subscription) -> Document:
    """Return a subscription."""
    return {
        "id": item.luid,
        "subject": item.subject,
        "attachImage": item.attach_image,
        "attachPdf": item.attach_pdf,
        "suspended": False,
        "content": {"id": item.content, "type": item.content_kind, "sendIfViewEmpty": True},
        "schedule": {"id": item.schedule, "name": "Monday morning"},
        "user": owner(site, item.user),
    }


def data_alert(site: Site, item: DataAlert) -> Document:
    """Return a data alert."""
    sheet = site.views.get(item.view)
    book = site.workbooks.get(sheet.workbook) if sheet else None
    about = {
        "id": item.view,
        "name": sheet.name if sheet else "",
        "workbook": {"id": book.luid if book else "", "name": book.name if book else ""},
        "project": reference(site.projects, book.project if book else ""),
    }
    return {
        "id": item.luid,
        "subject": item.subject,
        "creatorId": item.owner,
        "createdAt": format_time(item.created_at),
        "updatedAt": format_time(item.created_at),
        "frequency": item.frequency,
        "public": item.public,
        "owner": owner(site, item.owner),
        "view": about,
        "recipients": {"recipient": [owner(site, luid) for luid in item.recipients]},
    }
