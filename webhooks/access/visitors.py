"""Access to the pages: by session, password or token, or without a password from this machine only."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from flask import Request

from webhooks.config.environment import trusted_proxies
from webhooks.webhook_url import is_address

if TYPE_CHECKING:
    from webhooks.services import Services

Role = Literal["public", "viewer", "operator", "admin"]

# Each role may do what the one before it may.
ROLES: tuple[Role, ...] = ("public", "viewer", "operator", "admin")
# The prefix lets browsers accept it only with Secure, for this host and all paths.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
SECURE_COOKIE, PLAIN_COOKIE = "__Host-session", "session"
# Headers that a proxy or a tunnel adds.
PROXY_HEADERS = ("Forwarded", "Via", "X-Real-Ip", "Cf-Connecting-Ip")
BASIC_USER = "admin"
# The author of acts on the machine of the server, without a password.
LOCAL_NAME = "local"


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person or program that a request comes from.

    `kind` is session (also by OpenID Connect), password, token or local. `scope` is the JSON text of the sites and
    projects that the role is limited to. `session` is the id of the session, and `subject` identifies the person at
    the identity provider.
    """

    name: str
    role: str
    kind: str
    address: str
    scope: str = "{}"
    session: str = ""
    subject: str = ""

    @property
    def origin(self) -> str:
        """The origin of acts, for the audit log."""
        return f"{'program' if self.kind in {'token', 'password'} else 'page'} {self.address}"


class TooManyFailures(Exception):
    """The address has failed to sign in too often; `seconds` until it may try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Too many failed sign-ins; try again in {seconds:.0f} s.")
        self.seconds = seconds


def permits(role: str, needed: Role) -> bool:
    """Return whether a role may do what another one may."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(needed)


def identify(services: Services, request: Request) -> Visitor | None:
    """Return who the request comes from, or None for someone unknown. Raises TooManyFailures."""
    settings, address = services.settings, client_address(request)
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if not settings.requires_sign_in:
        return Visitor(LOCAL_NAME, "admin", "local", address) if is_direct_loopback(request) else None
    sign_ins = services.inbox.sign_ins
    if scheme.lower() == "bearer":
        if found := sign_ins.find_token(credential.strip()):
            return Visitor(found.name, found.role, "token", address, found.scope)
        return None
    given = request.authorization
    if given is not None and given.type == "basic":
        is_right = check_password(services, address, given.password or "", user=given.username or "")
        return Visitor(BASIC_USER, "admin", "password", address) if is_right else None
    cookie = request.cookies.get(cookie_name(request), "")
    if cookie and (found := sign_ins.find(cookie, settings.session_secret)):
        return Visitor(found.name, found.role, "session", address, found.scope, found.session, found.subject)
    return None


def check_password(services: Services, address: str, given: str, *, user: str = BASIC_USER) -> bool:
    """Return whether it is ADMIN_PASSWORD, in constant time. Counts a failure. Raises TooManyFailures."""
    sign_ins = services.inbox.sign_ins
    # Everyone has the same password, under whatever name, so that all guesses are about one account.
    if seconds := sign_ins.wait_seconds(address, BASIC_USER, password=services.settings.session_secret):
        raise TooManyFailures(seconds)
    password = services.settings.admin_password.get_secret_value()
    # Digests have one length, so that the comparison does not depend on the password's.
    digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, password)]
    is_right = hmac.compare_digest(*digests) and user == BASIC_USER and bool(password)
    if not is_right:
        sign_ins.record_failure(address, BASIC_USER)
    return is_right


def cookie_name(request: Request) -> str:
    """Return the name of the session's cookie for this connection."""
    return SECURE_COOKIE if is_https(request) else PLAIN_COOKIE


def is_https(request: Request) -> bool:
    """Return whether the browser uses https, as far as the proxy in front of the server says so.

    A client that lies about it gets a cookie that its browser does not accept.
    """
    proxy_says = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
    return request.is_secure or proxy_says == "https"


def is_direct_loopback(request: Request) -> bool:
    """Return whether the request comes from this machine and not through a proxy or tunnel.

    The host has to be an address or localhost: a page of another site whose name was made to resolve to this machine
    (DNS rebinding) could read the answers otherwise. nginx speaks HTTP/1.0 to servers, and no browser does.
    """
    forwarded = any(name.startswith("X-Forwarded") or name in PROXY_HEADERS for name, _ in request.headers)
    if forwarded or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return False
    peer = request.remote_addr or ""
    return _is_loopback(peer) and not _is_listed(peer, trusted_proxies()) and is_address(_host_name(request.host))


def client_address(request: Request) -> str:
    """Return the address of the client: the peer's, or what a trusted proxy says.

    The last address of X-Forwarded-For is the one that the proxy itself has seen; those before it may be invented.
    """
    peer = request.remote_addr or ""
    if _is_loopback(peer) or _is_listed(peer, trusted_proxies()):
        last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(last))
        except ValueError:
            pass
    return peer


def is_same_origin(request: Request) -> bool:
    """Return whether a page of this server sent the request.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site is sent by browsers to https and
    to localhost; otherwise the origin has to be this host. A request with neither is refused.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site.strip().lower() == "same-origin"
    origin = request.headers.get("Origin", "")
    try:
        return bool(origin) and urlsplit(origin.strip()).netloc.lower() == request.headers.get("Host", "").lower()
    except ValueError:
        return False


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def _is_listed(address: str, listed: str) -> bool:
    """Return whether an address is in a list of addresses and networks, separated by commas; `*` is all."""
    for part in filter(None, map(str.strip, listed.split(","))):
        try:
            if part == "*" or ipaddress.ip_address(address) in ipaddress.ip_network(part, strict=False):
                return True
        except ValueError:
            continue
    return False


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
