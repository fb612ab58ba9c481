"""Routes about the simulated site: cause events, let refreshes fail or be late, list the contents."""

from __future__ import annotations

from simulator.control.blueprint import InvalidRequest, Result, control, read_body
from simulator.world.current import current_world
from simulator.world.events import EVENT_TYPES, EventRequest, simulate_event
from simulator.world.refresh import run_since, running
from simulator.world.schedule import delay

# Minutes by which a scheduled refresh can be late.
MAX_LATE = 300
CONTENT_KINDS = ("workbook", "datasource", "flow")


@control.post("/events")
def cause_event() -> Result:
    """Cause an event."""
    body, world = read_body(), current_world()
    content_url = body.pop("site", None)
    known = EventRequest.__dataclass_fields__
    if unknown := set(body) - set(known):
        raise InvalidRequest(f"Unknown fields: {', '.join(sorted(unknown))}. An event can have: {', '.join(known)}")
    if "event_type" not in body:
        raise InvalidRequest(f"event_type is missing. Choose one of: {', '.join(EVENT_TYPES)}")
    if wrong := [name for name, value in body.items() if not isinstance(value, str)]:
        raise InvalidRequest(f"{', '.join(wrong)} must be text")
    with world.lock:
        site = world.home if content_url is None else world.site_at(str(content_url))
        if site is None:
            known_sites = ", ".join(repr(site.content_url) for site in world.sites.values())
            raise InvalidRequest(f"Unknown site {content_url!r}. Choose one of: {known_sites}")
        before = world.sender.count
        fields = simulate_event(world, site, EventRequest(**body))
        return {"event": fields, "deliveries": world.sender.count - before}


@control.post("/refreshes")
def set_refresh_outcome() -> Result:
    """Set how the next refreshes of content end."""
    body, world = read_body(), current_world()
    wanted, count = str(body.get("luid") or body.get("name") or ""), body.get("fail", 1)
    if not isinstance(count, int):
        raise InvalidRequest(f"fail must be a whole number, not {count!r}")
    with world.lock:
        items = [item for kind in CONTENT_KINDS for item in world.home.content(kind).values()]
        item = next((item for item in items if wanted in (item.luid, item.name)), None)
        if item is None:
            raise InvalidRequest(f"Not found: {wanted!r}")
        reason = str(body.get("reason") or "")
        item.failing = (reason or "Simulated failure") if count < 0 else ""
        item.fail_next, item.fail_reason = max(0, count), reason
        return {"luid": item.luid, "name": item.name, "fail": count}


@control.post("/schedules")
def delay_schedule() -> Result:
    """Let the scheduled refresh of content be late by some minutes, or one run since some, until it is refreshed."""
    body, world = read_body(), current_world()
    wanted, key = str(body.get("luid") or body.get("name") or ""), "running" if "running" in body else "late"
    minutes = body.get(key, 60)
    if not isinstance(minutes, int | float) or not 0 < minutes <= MAX_LATE:
        raise InvalidRequest(f"{key} must be a number of minutes up to {MAX_LATE}, not {minutes!r}")
    with world.lock:
        contents = [(kind, one) for kind in CONTENT_KINDS for one in world.home.content(kind).values()]
        kind, item = next((one for one in contents if wanted in (one[1].luid, one[1].name)), ("", None))
        if item is None or (key == "late" and not delay(world, world.home, item.luid, minutes)):
            raise InvalidRequest(f"No content with a schedule: {wanted!r}")
        if key == "running":
            if running(world.home, item.luid):
                raise InvalidRequest(f"A refresh of {wanted!r} is running already")
            run_since(world, world.home, kind, item, minutes)
        return {"luid": item.luid, "name": item.name, key: minutes}


@control.get("/site")
def site() -> Result:
    """Return the names and LUIDs of the site's contents."""
    world = current_world()
    with world.lock:
        home = world.home
        names = ("projects", "workbooks", "datasources", "views", "flows", "users", "webhooks")
        contents = {
            name: [{"luid": luid, "name": item.name} for luid, item in getattr(home, name).items()] for name in names
        }
        contents["subscriptions"] = [{"luid": luid, "name": item.subject} for luid, item in home.subscriptions.items()]
        return {"luid": home.luid, "name": home.name, "content_url": home.content_url} | contents
