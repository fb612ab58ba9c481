"""Files that Tableau renders for rules, within its limit of exports at the same time for a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from notifiers.limits import Limit
from tableau_rest.protocol.luid import is_luid
from tableau_rest.protocol.query import is_expressible, where
from webhooks.context.changes import content_now
from webhooks.errors import Permanent, RetryLater, Skip

if TYPE_CHECKING:
    from tableau_rest.endpoints.exports import Export
    from tableau_rest.models import View, Workbook
    from webhooks.context.context import Context

Format = Literal["png", "pdf", "csv"]

# Tableau Cloud renders 20 exports of a site at the same time. Most take less than a minute, so rules on all servers
# together start at most this number a minute.
# https://kb.tableau.com/articles/issue/concurrency-limits-in-rest-apis-on-tableau-cloud
STARTS, SECONDS = 20, 60.0
# Minutes: Tableau's cached rendering may be older than the refresh that the event is about.
MAX_AGE = 1


def export_limit(site_luid: str) -> Limit:
    """Return the limit of a site, which all servers share."""
    return Limit(f"tableau exports {site_luid.lower()}", STARTS, SECONDS)


def take_export(context: Context) -> None:
    """Count an export. Raises RetryLater if this one has to wait for others."""
    if again := context.inbox.budgets.take([export_limit(str(context.event.site_luid or ""))]):
        raise RetryLater(f"Tableau renders {STARTS} exports at the same time", again)


def find_workbook(context: Context, name: str | None) -> Workbook:
    """Return the workbook of this name or LUID with its views; without one, that which the event is about.

    Raises Skip if the event is about no workbook or it is gone, Permanent if there is not exactly one of the name.
    """
    tableau = context.tableau
    if name is None:
        if context.event.content_kind != "workbook":
            raise Skip('the event is about no workbook; name one: workbook = "Sales"')
        found: Workbook = content_now(context, ("workbook",), "has no views")
        return found
    if is_luid(name):
        return tableau.workbook(name)
    filters: list[Any] = [where("name", "eq", name)] if is_expressible(name) else []
    luids = [one.luid for one in tableau.workbooks(*filters) if one.name == name]
    if not luids:
        raise Permanent(f"The site has no workbook called {name}, or the server's Tableau user cannot see it")
    if len(luids) > 1:
        raise Permanent(f"{len(luids)} workbooks are called {name}; write the LUID: {' or '.join(luids)}")
    return tableau.workbook(luids[0])


def choose_view(workbook: Workbook, name: str | None) -> View:
    """Return the view of this name, or the workbook's default one. Raises Permanent if there is none."""
    if not workbook.views:
        raise Permanent(f"The workbook {workbook.name} has no views that the server's Tableau user can see")
    if name is None:
        default = [one for one in workbook.views if one.luid == workbook.default_view_luid]
        return (default or list(workbook.views))[0]
    found = [one for one in workbook.views if one.name.casefold() == name.casefold()]
    if not found:
        names = ", ".join(one.name for one in workbook.views[:20])
        raise Permanent(f"The workbook {workbook.name} has no view {name}; it has: {names}")
    return found[0]


def render(
    context: Context, workbook: Workbook, view: View | None, file_format: Format, filters: Mapping[str, object]
) -> Export:
    """Return the export of a view; of the whole workbook without one, which only a PDF can show."""
    tableau = context.tableau
    if view is None:
        return tableau.workbook_pdf(workbook.luid, max_age=MAX_AGE)
    if file_format == "png":
        return tableau.view_image(view.luid, max_age=MAX_AGE, filters=filters)
    if file_format == "pdf":
        return tableau.view_pdf(view.luid, orientation="Landscape", max_age=MAX_AGE, filters=filters)
    return tableau.view_csv(view.luid, max_age=MAX_AGE, filters=filters)
