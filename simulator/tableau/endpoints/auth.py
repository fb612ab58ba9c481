"""Sign in by token, password or JWT, sign out, switch the site; and the server's version.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_authentication.htm
"""

from __future__ import annotations

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

# User name, credential, scopes.
Claim = tuple[str, str, tuple[str, ...] | None]


@public_route("/serverinfo", since="2.4")
@public_route("/serverInfo", since="2.4")
def server_info(world: World) -> Document:
    """Return the version of the server, without a session."""
    product = {"value": "2025.3.1", "build": "20253.25.1120.1033"}
    return {"serverInfo": {"productVersion": product, "restApiVersion": world.config.api_version}}


@public_route("/auth/signin", "POST")
def sign_in(world: World) -> Document:
    """Sign in with a credential."""
    credentials = object_at(read_body(), "credentials")
    with world.lock:
        check = next((check for key, check in CREDENTIALS.items() if key in credentials), None)
        if check is None:
            raise ApiError("400000", "The credentials name neither a token, nor a user, nor a JWT.")
        name, credential, scopes = check(world, credentials)
        site = world.site_at(as_text(object_at(credentials, "site").get("contentUrl")))
        user = site.user_named(name) if site else None
        if site is None or user is None:
            raise _refused("The site or the user does not exist, or the user does not belong to the site.")
        # A client may send an empty element: {"user": {"id": null}} does not impersonate.
        if impersonated := as_text(object_at(credentials, "user").get("id")):
            if impersonated not in site.users or not user.is_admin:
                raise _refused("The user to impersonate does not exist, or you may not impersonate.")
            user = site.users[impersonated]
        return _open(world, site, user, credential, scopes)


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
    except Refused as error:
        raise _refused(str(error)) from error
    if not any(site.user_named(claims.user) for site in world.sites.values()):
        raise _refused("Signin Error (5): the user of the token is unknown")
    return claims.user, f"jwt:{claims.user}", claims.scopes


CREDENTIALS: dict[str, Callable[[World, Document], Claim]] = {
    "personalAccessTokenName": _by_token,
    "jwt": _by_jwt,
    "name": _by_password,
}


def _refused(detail: str) -> ApiError:
    return ApiError("401001", detail, "Signin Error")


def _open(world: World, site: Site, user: User, credential: str, scopes: tuple[str, ...] | None) -> Document:
    now = world.now()
    # Tokens are random and do not depend on the seed, so that they stay secret.
    token = f"{secrets.token_urlsafe(16)}|{secrets.token_urlsafe(24)}|{site.luid}"
    ends = now + timedelta(minutes=world.config.session_minutes)
    session = world.sessions.open(Session(token, site.luid, user.luid, credential, ends, scopes))
    user.last_login = now
    where = {"id": site.luid, "contentUrl": site.content_url}
    document = {"site": where, "user": {"id": user.luid}, "token": token}
    return {"credentials": document | {"estimatedTimeToExpiration": lifetime(session, now)}}


@public_route("/auth/signout", "POST")
def sign_out(world: World) -> Result:
    """End the session, for all clients that share its token."""
    with world.lock:
        world.sessions.close(authenticate(world).token)
    return {}, 204


@public_route("/auth/switchSite", "POST")
def switch_site(world: World) -> Document:
    """Replace the session by one on another site."""
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
            raise ApiError("403004", "The user does not belong to that site.")
        world.sessions.close(session.token)
        return _open(world, site, user, session.credential, session.scopes)


# TSC's address is not the documented one.
@public_route("/auth/revokeAllServerAdminTokens", "POST")
@public_route("/auth/serverAdminAccessTokens", "DELETE")
def revoke_admin_tokens(world: World) -> Result:
    """End the sessions of the administrators' personal access tokens."""
    with world.lock:
        authenticate(world)
        world.sessions.end(f"pat:{world.config.pat_name}")
    return {}, 204


@route("//sessions/current", since="3.1", scope=ANY_SCOPE)
def current_session(call: ApiCall) -> Document:
    """Return the caller's site and user."""
    return {"session": {"site": resources.site(call.site), "user": resources.user(call.user)}}
