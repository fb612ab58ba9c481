"""The webhooks in Tableau: as the monitor last saw them, and on request as they are now, with what a sync would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Response
from werkzeug.exceptions import BadGateway, BadRequest

from tableau_rest.errors import TableauError
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import done
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.errors import Permanent
from webhooks.inbox.server.webhook_checks import WebhookCheckResult, last_webhook_check
from webhooks.registration import registered_event_types, remember_registered
from webhooks.registration.apply import apply_changes
from webhooks.registration.diff import Change, ChangeKind, compare, is_ours
from webhooks.webhook_url import mask_url, public_url

if TYPE_CHECKING:
    from webhooks.config.site import Site

PATH = "/webhooks"


@dataclass
class SiteView:
    """A site: what the monitor remembers, and what Tableau says now, if it was asked."""

    site: Site
    check: WebhookCheckResult
    desired: tuple[str, ...]
    webhooks: list[dict[str, Any]] | None = None
    changes: list[Change] = field(default_factory=list)
    problem: str = ""


def show(visit: Visit) -> Page:
    """Show the last checks; with `?ask=1`, ask Tableau now."""
    asks = "ask" in visit.request.args
    sites = [_view(visit, site, asks=asks) for site in visit.services.sites.all]
    values = {"title": "Webhooks", "sites": sites, "asks": asks, "target": _target(visit)}
    return Page("webhooks.html", {**frame(visit, "webhooks"), **values})


def sync(visit: Visit) -> Response:
    """Create, update, enable and delete our webhooks as the rules need. Raises BadRequest and BadGateway."""
    inbox, target = visit.whole, _target(visit)
    if not target:
        raise BadRequest("WEBHOOK_URL is not set, so it is unknown where Tableau can reach this server.")
    label = visit.services.settings.webhook_label
    failures = []
    for site in visit.services.sites.all:
        try:
            tableau = visit.services.client(site)
            planned = compare(tableau.webhooks(), _desired(visit, site), url=target, label=label)
            for outcome in apply_changes(planned, tableau):
                result = f"failed: {outcome.error}" if outcome.error else "done"
                visit.record(f"{outcome.change.kind.value} webhook", f"webhook {outcome.change.event_type}", result)
                failures += [f"{outcome.change.event_type}: {outcome.error}"] if outcome.error else []
            remember_registered(inbox, site, registered_event_types(tableau.webhooks(), label))
        except (TableauError, Permanent, RuntimeError, ValueError) as error:
            failures.append(f"{site.name or 'Tableau'}: {error}")
    if failures:
        raise BadGateway(visit.services.redact("; ".join(failures)))
    return done(f"{PATH}?ask=1", "sync")


def _view(visit: Visit, site: Site, *, asks: bool) -> SiteView:
    check = last_webhook_check(visit.whole.state, f" {site.key}" if site.name else "")
    view = SiteView(site, check, _desired(visit, site))
    if not asks:
        return view
    label, target = visit.services.settings.webhook_label, _target(visit)
    try:
        found = list(visit.services.client(site).webhooks())
    except (TableauError, Permanent, RuntimeError, ValueError) as error:
        view.problem = str(error)
        return view
    view.webhooks = [
        {
            "event": webhook.event,
            "name": webhook.name,
            "url": mask_url(webhook.url),
            "is_enabled": webhook.is_enabled,
            "reason": webhook.reason,
            "ours": is_ours(webhook, label),
        }
        for webhook in found
    ]
    if target:
        planned = compare(found, view.desired, url=target, label=label)
        view.changes = [change for change in planned if change.kind is not ChangeKind.KEEP]
    return view


def _desired(visit: Visit, site: Site) -> tuple[str, ...]:
    return visit.services.desired_event_types(site, visit.services.active_rules.rules)


def _target(visit: Visit) -> str:
    settings = visit.services.settings
    token = next(iter(settings.webhook_tokens()), "")
    return public_url(settings.webhook_url, token) if settings.webhook_url else ""
