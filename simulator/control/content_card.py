"""What a link into Tableau opens here: a card with the content's picture, its facts and its last refreshes."""

from typing import Any

from flask import Blueprint, Response, url_for

from simulator.render.chart import chart
from simulator.world.current import current_world
from simulator.world.site import Content, Datasource, Site, View, Workbook
from simulator.world.world import World

content_card = Blueprint("content_card", __name__, url_prefix="/simulator/content")
KINDS = {"workbooks": "workbook", "datasources": "datasource", "flows": "flow"}
Card = dict[str, Any]
NOT_HERE = {"error": "There is nothing at this address any more."}, 404


@content_card.get("/<any(workbooks,datasources,flows):many>/<int:number>")
def numbered(many: str, number: int) -> Card | tuple[Card, int]:
    """The card of what has this number in its address."""
    world = current_world()
    with world.lock:
        things = world.home.content(KINDS[many]).values()
        return next((_card(world, thing) for thing in things if thing.number == number), NOT_HERE)


@content_card.get("/views/<workbook>/<sheet>")
def sheet(workbook: str, sheet: str) -> Card | tuple[Card, int]:
    """The card of a view, by the names in its address."""
    world = current_world()
    with world.lock:
        views = world.home.views.values()
        return next(
            (_card(world, view) for view in views if view.content_url == f"{workbook}/sheets/{sheet}"), NOT_HERE
        )


@content_card.get("/picture/<luid>")
def picture(luid: str) -> Response:
    """What a workbook or view looks like."""
    home = current_world().home
    item = home.workbooks.get(luid) or home.views.get(luid)
    if item is None:
        return Response("no such picture\n", 404, mimetype="text/plain")
    return Response(chart(item.name, home.projects[item.project].name, _seed(item)), mimetype="image/png")


def _seed(item: Content) -> str:
    return f"{item.luid}{item.updated_at:%Y%m%d%H%M}"


def _card(world: World, item: Content) -> Card:
    home, now = world.home, world.now()
    jobs = [job for job in home.jobs.values() if job.content == item.luid][:-6:-1]
    ends = [{"at": job.created_at.isoformat(), "status": job.status(now), "notes": job.notes} for job in jobs]
    drawn = isinstance(item, Workbook | View)
    address = url_for("content_card.picture", luid=item.luid, v=_seed(item)[-12:]) if drawn else ""
    return {
        "name": item.name,
        "kind": type(item).__name__,
        "facts": _facts(home, item),
        "picture": address,
        "jobs": ends,
    }


def _facts(home: Site, item: Content) -> list[tuple[str, str]]:
    owner = home.users[item.owner]
    facts = [("Project", home.projects[item.project].name), ("Owner", f"{owner.full_name} ({owner.email})")]
    facts += [("Updated", f"{item.updated_at:%Y-%m-%d %H:%M} UTC"), ("Tags", ", ".join(item.tags)), ("LUID", item.luid)]
    if isinstance(item, Workbook):
        facts.append(("Views", ", ".join(home.views[luid].name for luid in item.views)))
        facts.append(
            ("Reads", ", ".join(home.datasources[luid].name for luid in item.datasources if luid in home.datasources))
        )
    if isinstance(item, Datasource):
        facts.append(("Certified", item.certification_note or "yes" if item.is_certified else "no"))
        facts.append(
            ("Read by", ", ".join(book.name for book in home.workbooks.values() if item.luid in book.datasources))
        )
    labels = [put.value for put in home.labels.values() if put.content == item.luid and put.active]
    return [(name, value) for name, value in [*facts, ("Labels", ", ".join(labels))] if value]
