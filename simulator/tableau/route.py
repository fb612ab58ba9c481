"""The door of the REST API: version, session, site, scope and rights are looked at here, once for all routes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Blueprint, Response, current_app, g, request
from werkzeug.routing import Map, Rule

from simulator.tableau.wire import Answer, ApiError, answer, read_body
from simulator.world.sessions import Session
from simulator.world.site import Site, User
from simulator.world.world import World

Result = Answer | tuple[Answer, int] | Response
ANY_SCOPE = "*"  # what a JWT session may do whatever its scopes


@dataclass(frozen=True)
class Call:
    """One call that has passed the door: who asks, on which site, and with what."""

    world: World
    site: Site
    user: User
    session: Session
    version: str

    @property
    def query(self) -> Mapping[str, str]:
        """The query string, the first value of each name."""
        return request.args

    def body(self) -> Answer:
        """What was sent along."""
        return read_body()

    @property
    def base_url(self) -> str:
        """The address the caller knows this server by."""
        return request.host_url.rstrip("/")


@dataclass(frozen=True)
class Route:
    """One URI with its method and what the door asks of callers: nothing if not `signed`."""

    rule: str
    method: str
    handler: Callable[..., Result]
    since: str
    scope: str = ""
    admin: bool = False
    locked: bool = True
    signed: bool = True


ROUTES: list[Route] = []
Announce = Callable[[Callable[..., Result]], Callable[..., Result]]


def route(
    rule: str, method: str = "GET", *, since: str = "2.0", scope: str = "", admin: bool = False, locked: bool = True
) -> Announce:
    """Announce a handler for a URI below /sites/<site> (or below the version, if it starts with two slashes).

    `since` is the first API version that has it, `scope` the one a JWT session needs, `admin` whether only
    administrators may, `locked` whether the handler runs under the world's lock (it must, unless it waits).
    """
    where = rule[1:] if rule.startswith("//") else f"/sites/<site>{rule}"
    return lambda handler: _announced(Route(where, method, handler, since, scope, admin, locked))


def opening(rule: str, method: str = "GET", *, since: str = "2.0") -> Announce:
    """Announce a handler for a URI below the version that needs no session."""
    return lambda handler: _announced(Route(rule, method, handler, since, signed=False))


def _announced(entry: Route) -> Callable[..., Result]:
    ROUTES.append(entry)
    return entry.handler


@cache
def _addresses() -> Map:
    """All announced URIs. They take long to compile, so all simulators of a process share them."""
    return Map([Rule(entry.rule, endpoint=entry, methods=[entry.method]) for entry in ROUTES], merge_slashes=False)


def blueprint() -> Blueprint:
    """All announced routes, under /api/<version>."""
    made = Blueprint("tableau", __name__, url_prefix="/api/<version>")
    made.add_url_rule("/<path:rest>", "any", _enter, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    return made


def world_here() -> World:
    """The world of the application that answers."""
    world: World = current_app.extensions["simulator"]
    return world


def _enter(version: str, rest: str) -> Response:
    world = world_here()
    entry, found = _addresses().bind("").match(f"/{rest}", request.method)
    parts = dict(found)
    g.rule = f"/api/-{entry.rule}"
    check_version(world, version, entry.since)
    if not entry.signed:
        return _respond(entry.handler(world, **parts))
    site = parts.pop("site", None)
    with world.lock:
        session = authenticate(world)
        call = Call(world, world.sites[session.site], *_who(world, session), version)
        _may(call, entry, site)
        if entry.locked:
            return _respond(entry.handler(call, **parts))
    return _respond(entry.handler(call, **parts))


def _respond(result: Result) -> Response:
    if isinstance(result, Response):
        return result
    content, status = result if isinstance(result, tuple) else (result, 200)
    return answer(content, status) if content or status != 204 else Response(status=204)


def check_version(world: World, version: str, since: str) -> None:
    """Raise what Tableau says to a version it does not have, or that did not have this yet."""
    asked, offered = _number(version), _number(world.config.api_version)
    if asked is None or offered is None or not (2, 0) <= asked <= offered:
        raise ApiError(
            "404001", f"The API version {version!r} is not known here; this server offers {world.config.api_version}."
        )
    if asked < (_number(since) or asked):
        raise ApiError("404003", f"{request.path} is not a resource of API version {version}.")


def _number(version: str) -> tuple[int, int] | None:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


def authenticate(world: World) -> Session:
    """The session of the caller's token. Raises what Tableau says to none and to a dead one."""
    token = request.headers.get("X-Tableau-Auth", "")
    if not token:
        raise ApiError("401000", "No authentication credentials were provided.")
    session = world.sessions.find(token, world.now())
    if session is None or session.site not in world.sites:
        raise ApiError("401002", "Invalid authentication credentials were provided.")
    return session


def _who(world: World, session: Session) -> tuple[User, Session]:
    user = world.sites[session.site].users.get(session.user)
    if user is None:
        raise ApiError("401002", "Invalid authentication credentials were provided.")
    return user, session


def _may(call: Call, entry: Route, site: str | None) -> None:
    if site is not None and site != call.site.luid:
        if site in call.world.sites:
            raise ApiError("403004", "The session is for another site.")
        raise ApiError("404000", f"Site {site!r} could not be found.")
    if not granted(call.session, entry.scope):
        raise ApiError("401002", f"The session was not granted the scope this needs: {entry.scope or 'none is known'}.")
    if entry.admin and not call.user.is_admin:
        raise ApiError("403004", "Only an administrator may do this.")


def granted(session: Session, scope: str) -> bool:
    """Whether a session may do what needs this scope. Only those from a JWT are limited; `tableau:x:*` is all of x."""
    if session.scopes is None or scope == ANY_SCOPE:
        return True
    return bool(scope) and any(
        mine == scope or (mine.endswith(":*") and scope.startswith(mine[:-1])) for mine in session.scopes
    )


def scoped(call: Call, scope: str) -> None:
    """Raise unless the session has this scope too; for routes where the scope hangs on the kind of content."""
    if not granted(call.session, scope):
        raise ApiError("401002", f"The session was not granted the scope {scope}.")


def thing(things: Mapping[str, Any], luid: str, code: str, what: str) -> Any:
    """The thing of that LUID. Raises the 404 its kind has."""
    if luid not in things:
        raise ApiError(code, f"{what} {luid!r} could not be found.")
    return things[luid]
