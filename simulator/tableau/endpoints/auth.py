"""Signing in three ways, out, and to another site; and what the server says of itself.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_authentication.htm
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from hmac import compare_digest

from simulator.tableau import resources
from simulator.tableau.jwt import Refused, verify
from simulator.tableau.route import ANY_SCOPE, ApiCall, Result, authenticate, public_route, route
from simulator.tableau.wire import ApiError, Document, as_text, object_at, read_body
from simulator.world.sessions import Session, lifetime
from simulator.world.site import Site, User
from simulator.world.world import World

Claim = tuple[str, str, tuple[str, ...] | None]  # user name, credential, scopes


@public_route("/serverinfo", since="2.4")
@public_route("/serverInfo", since="2.4")
def server_info(world: World) -> Document:
    """What this server is; needs no session."""
    product = {"value": "2025.3.1", "build": "20253.25.1120.1033"}
    return {"serverInfo": {"productVersion": product, "restApiVersion": world.config.api_version}}


@public_route("/auth/signin", "POST")
def sign_in(world: World) -> Document:
    """Trade a credential for a token."""
    credentials = object_at(read_body(), "credentials")
    with world.lock:
        name, credential, scopes = _claim(world, credentials)
        site = world.site_at(as_text(object_at(credentials, "site").get("contentUrl")))
        user = site.user_named(name) if site else None
        if site is None or user is None:
            raise _refused("The site or the user does not exist, or the user has no seat there.")
        user = _impersonated(site, user, object_at(credentials, "user"))
        return _opened(world, site, user, credential, scopes)


def _claim(world: World, credentials: Document) -> Claim:
    for key, check in CREDENTIALS.items():
        if key in credentials:
            return check(world, credentials)
    raise ApiError("400000", "The credentials name neither a token, nor a user, nor a JWT.")


def _by_token(world: World, credentials: Document) -> Claim:
    config = world.config
    name, secret = (
        as_text(credentials["personalAccessTokenName"]),
        as_text(credentials.get("personalAccessTokenSecret")),
    )
    known = {**config.more_pats, config.pat_name: config.pat_secret}
    if name not in known or not compare_digest(secret.encode(), known[name].encode()):
        raise _refused("The personal access token you provided is invalid.")
    return config.username, f"pat:{name}", None


def _by_password(world: World, credentials: Document) -> Claim:
    config = world.config
    name, password = as_text(credentials["name"]), as_text(credentials.get("password"))
    if name != config.username or not compare_digest(password.encode(), config.password.encode()):
        raise _refused("Error signing in to Tableau Server")
    return name, f"password:{name}", None


def _by_jwt(world: World, credentials: Document) -> Claim:
    try:
        claims = verify(as_text(credentials["jwt"]), world.config, world.sessions.used_jwts, world.now())
    except Refused as reason:
        raise _refused(str(reason)) from reason
    known = any(site.user_named(claims.user) for site in world.sites.values())
    if not known:
        raise _refused("Signin Error (5): the user of the token is unknown")
    return claims.user, f"jwt:{claims.user}", claims.scopes


CREDENTIALS: dict[str, Callable[[World, Document], Claim]] = {
    "personalAccessTokenName": _by_token,
    "jwt": _by_jwt,
    "name": _by_password,
}


def _refused(detail: str) -> ApiError:
    return ApiError("401001", detail, "Signin Error")


def _impersonated(site: Site, user: User, wish: Document) -> User:
    if not wish:
        return user
    other = site.users.get(as_text(wish.get("id")))
    if other is None or not user.is_admin:
        raise _refused("The user to impersonate does not exist, or you may not.")
    return other


def _opened(world: World, site: Site, user: User, credential: str, scopes: tuple[str, ...] | None) -> Document:
    now = world.now()
    # Tokens are no identifiers: they stay secret, and a seed does not give them away.
    token = f"{secrets.token_urlsafe(16)}|{secrets.token_urlsafe(24)}|{site.luid}"
    ends = now + timedelta(minutes=world.config.session_minutes)
    session = world.sessions.open(Session(token, site.luid, user.luid, credential, ends, scopes))
    user.last_login = now
    where = {"id": site.luid, "contentUrl": site.content_url}
    described = {"site": where, "user": {"id": user.luid}, "token": token}
    return {"credentials": described | {"estimatedTimeToExpiration": lifetime(session, now)}}


@public_route("/auth/signout", "POST")
def sign_out(world: World) -> Result:
    """End the session, for everybody who shares its token."""
    with world.lock:
        world.sessions.close(authenticate(world).token)
    return {}, 204


@public_route("/auth/switchSite", "POST")
def switch_site(world: World) -> Document:
    """Trade the session for one on another site."""
    with world.lock:
        session = authenticate(world)
        site = world.site_at(as_text(object_at(read_body(), "site").get("contentUrl")))
        if site is None:
            raise ApiError("404000", "The site could not be found.")
        if site.luid == session.site:
            raise ApiError("403070", "The session is on this site already.")
        old = world.sites[session.site].users.get(session.user)
        user = site.user_named(old.name) if old else None
        if user is None:
            raise ApiError("403004", "The user has no seat on that site.")
        world.sessions.close(session.token)
        return _opened(world, site, user, session.credential, session.scopes)


@public_route("/auth/serverAdminAccessTokens", "DELETE")
def revoke_admin_tokens(world: World) -> Result:
    """End what the administrators' personal access tokens opened."""
    with world.lock:
        authenticate(world)
        world.sessions.end(f"pat:{world.config.pat_name}")
    return {}, 204


@route("//sessions/current", since="3.1", scope=ANY_SCOPE)
def current_session(call: ApiCall) -> Document:
    """Who and where the caller is."""
    return {"session": {"site": resources.site(call.site), "user": resources.user(call.user)}}
