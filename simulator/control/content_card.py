"""The card that a link into Tableau opens on the simulator's page: picture, facts and last refreshes of content."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, url_for

from simulator.render.chart import chart
from simulator.world.current import current_world
from simulator.world.site import Content, Datasource, Site, View, Workbook
from simulator.world.world import World

content_card = Blueprint("content_card", __name__, url_prefix="/simulator/content")
KINDS = {"workbooks": "workbook", "datasources": "datasource", "flows": "flow"}
MAX_JOBS = 5
Card = dict[str, Any]
NOT_FOUND = {"error": "This content no longer exists."}, 404


@content_card.get("/<any(workbooks,datasources,flows):many>/<int:number>")
def by_number(many: str, number: int) -> Card | tuple[Card, int]:
    """Return the card of the content with this number in its address."""
    world = current_world()
    with world.lock:
        things = world.home.content(KINDS[many]).values()
        return next((_card(world, thing) for thing in things if thing.number == number), NOT_FOUND)


@content_card.get("/views/<workbook>/<sheet>")
def by_name(workbook: str, sheet: str) -> Card | tuple[Card, int]:
    """Return the card of a view, by the names in its address."""
    world, address = current_world(), f"{workbook}/sheets/{sheet}"
    with world.lock:
        views = world.home.views.values()
        return next((_card(world, view) for view in views if view.content_url == address), NOT_FOUND)


@content_card.get("/picture/<luid>")
def picture(luid: str) -> Response:
    """Return the picture of a workbook or view."""
    home = current_world().home
    item = home.workbooks.get(luid) or home.views.get(luid)
    if item is None:
        return Response("no such picture\n", 404, mimetype="text/plain")
    return Response(chart(item.name, home.projects[item.project].name, _version(item)), mimetype="image/png")


def _version(item: Content) -> str:
    return f"{item.luid}{item.updated_at:%Y%m%d%H%M}"


def _card(world: World, item: Content) -> Card:
    home, now = world.home, world.now()
    jobs = [job for job in home.jobs.values() if job.content == item.luid][: -MAX_JOBS - 1 : -1]
    has_picture = isinstance(item, Workbook | View)
    return {
        "name": item.name,
        "kind": type(item).__name__,
        "facts": _facts(home, item),
        "picture": url_for("content_card.picture", luid=item.luid, v=_version(item)[-12:]) if has_picture else "",
        "jobs": [{"at": job.created_at.isoformat(), "status": job.status(now), "notes": job.notes} for job in jobs],
    }


def _facts(home: Site, item: Content) -> list[tuple[str, str]]:
    owner = home.users[item.owner]
    facts = {
        "Project": home.projects[item.project].name,
        "Owner": f"{owner.full_name} ({owner.email})",
        "Updated": f"{item.updated_at:%Y-%m-%d %H:%M} UTC",
        "Tags": ", ".join(item.tags),
        "LUID": item.luid,
    }
    if isinstance(item, Workbook):
        facts["Views"] = ", ".join(home.views[luid].name for luid in item.views)
        sources = [home.datasources[luid].name for luid in item.datasources if luid in home.datasources]
        facts["Data sources"] = ", ".join(sources)
    if isinstance(item, Datasource):
        facts["Certified"] = item.certification_note or "yes" if item.is_certified else "no"
        workbooks = [workbook.name for workbook in home.workbooks.values() if item.luid in workbook.datasources]
        facts["Workbooks"] = ", ".join(workbooks)
    labels = [label.value for label in home.labels.values() if label.content == item.luid and label.active]
    facts["Labels"] = ", ".join(labels)
    return [(name, value) for name, value in facts.items() if value]
