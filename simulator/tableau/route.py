"""The routes of the REST API: version, session, site, scope and rights are checked here, once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.routing import Map, Rule

from simulator.tableau.wire import ApiError, Document, read_body, respond
from simulator.world.current import current_world
from simulator.world.sessions import Session
from simulator.world.site import Site, User
from simulator.world.world import World

Result = Document | tuple[Document, int] | Response
# The scope of a call that every JWT session may make.
ANY_SCOPE = "*"


@dataclass(frozen=True)
class ApiCall:
    """An authorized call: the user, the site, and the session."""

    world: World
    site: Site
    user: User
    session: Session
    version: str

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query string, with the first value of each name."""
        return request.args

    def body(self) -> Document:
        """Return the request's body."""
        return read_body()

    @property
    def base_url(self) -> str:
        """Return the server's address as the caller uses it."""
        return request.host_url.rstrip("/")


@dataclass(frozen=True)
class Route:
    """One URI with its method and the requirements on callers: none if not `signed_in`."""

    rule: str
    method: str
    handler: Callable[..., Result]
    since: str
    scope: str = ""
    admin: bool = False
    locked: bool = True
    signed_in: bool = True


ROUTES: list[Route] = []
Register = Callable[[Callable[..., Result]], Callable[..., Result]]


def route(
    rule: str, method: str = "GET", *, since: str = "2.0", scope: str = "", admin: bool = False, locked: bool = True
) -> Register:
    """Register a handler for a URI below /sites/<site>, or below the version if it starts with two slashes.

    `since` is the first API version that has it, `scope` the one that a JWT session needs, `admin` whether only
    administrators may call it, `locked` whether it runs under the world's lock, which it must unless it waits.
    """
    path = rule[1:] if rule.startswith("//") else f"/sites/<site>{rule}"
    return lambda handler: _add(Route(path, method, handler, since, scope, admin, locked))


def public_route(rule: str, method: str = "GET", *, since: str = "2.0") -> Register:
    """Register a handler for a URI below the version that needs no session."""
    return lambda handler: _add(Route(rule, method, handler, since, signed_in=False))


def _add(entry: Route) -> Callable[..., Result]:
    ROUTES.append(entry)
    return entry.handler


@cache
def _url_map() -> Map:
    """Return the map of all routes. It takes long to compile, so all simulators of a process share it."""
    return Map([Rule(entry.rule, endpoint=entry, methods=[entry.method]) for entry in ROUTES], merge_slashes=False)


def blueprint() -> Blueprint:
    """Return all registered routes, under /api/<version>."""
    made = Blueprint("tableau", __name__, url_prefix="/api/<version>")
    made.add_url_rule("/<path:rest>", "any", handle, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    return made


def handle(version: str, rest: str) -> Response:
    """Authorize a call and run the handler of its route. Raises ApiError."""
    world = current_world()
    entry, arguments = _url_map().bind("").match(f"/{rest}", request.method)
    parts = dict(arguments)
    g.rule = f"/api/-{entry.rule}"
    check_version(world, version, entry.since)
    if not entry.signed_in:
        return _to_response(entry.handler(world, **parts))
    site = parts.pop("site", None)
    with world.lock:
        session = authenticate(world)
        user = world.sites[session.site].users.get(session.user)
        if user is None:
            raise ApiError("401002", "Invalid authentication credentials were provided.")
        call = ApiCall(world, world.sites[session.site], user, session, version)
        _authorize(call, entry, site)
        if entry.locked:
            return _to_response(entry.handler(call, **parts))
    return _to_response(entry.handler(call, **parts))


def _to_response(result: Result) -> Response:
    if isinstance(result, Response):
        return result
    content, status = result if isinstance(result, tuple) else (result, 200)
    return respond(content, status) if content or status != 204 else Response(status=204)


def check_version(world: World, version: str, since: str) -> None:
    """Raise Tableau's error if the server does not offer this version, or if the call needs a newer one."""
    requested, offered = _parse_version(version), _parse_version(world.config.api_version)
    if requested is None:
        # Tableau's newer APIs have other parts in this place: -, v1, exp.
        raise ApiError("404003", f"The simulator does not support {request.method} {request.path}.")
    if offered is None or not (2, 0) <= requested <= offered:
        raise ApiError(
            "404001", f"The API version {version!r} is not known here; this server offers {world.config.api_version}."
        )
    if requested < (_parse_version(since) or requested):
        raise ApiError("404003", f"{request.path} is not a resource of API version {version}.")


def _parse_version(version: str) -> tuple[int, int] | None:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


def authenticate(world: World) -> Session:
    """Return the session of the caller's token. Raises Tableau's error if it is missing or not valid."""
    token = request.headers.get("X-Tableau-Auth", "")
    if not token:
        raise ApiError("401000", "No authentication credentials were provided.")
    session = world.sessions.find(token, world.now())
    if session is None or session.site not in world.sites:
        raise ApiError("401002", "Invalid authentication credentials were provided.")
    return session


def _authorize(call: ApiCall, entry: Route, site: str | None) -> None:
    if site is not None and site != call.site.luid:
        if site in call.world.sites:
            raise ApiError("403004", "The session is for another site.")
        raise ApiError("404000", f"Site {site!r} could not be found.")
    if not has_scope(call.session, entry.scope):
        scope = entry.scope or "none is known"
        raise ApiError("401002", f"The session was not granted the scope that this call needs: {scope}.")
    if entry.admin and not call.user.is_admin:
        raise ApiError("403004", "Only administrators may make this call.")


def has_scope(session: Session, scope: str) -> bool:
    """Return whether a session has this scope. Only JWT sessions are limited; `tableau:x:*` includes all of x."""
    if session.scopes is None or scope == ANY_SCOPE:
        return True
    return bool(scope) and any(
        own == scope or (own.endswith(":*") and scope.startswith(own[:-1])) for own in session.scopes
    )


def require_scope(call: ApiCall, scope: str) -> None:
    """Raise ApiError unless the session has this scope; for routes whose scope depends on the kind of content."""
    if not has_scope(call.session, scope):
        raise ApiError("401002", f"The session was not granted the scope {scope}.")


def find(things: Mapping[str, Any], luid: str, code: str, noun: str) -> Any:
    """Return the thing with this LUID. Raises ApiError with the 404 code of its kind."""
    if luid not in things:
        raise ApiError(code, f"{noun} {luid!r} could not be found.")
    return things[luid]
