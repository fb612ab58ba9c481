"""Sign in by OpenID Connect: lead to the identity provider, and start a session when it leads back."""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from flask import Response, redirect
from werkzeug.exceptions import NotFound

from webhooks.access import visitors
from webhooks.access.openid import Identity, Provider
from webhooks.access.sign_in_attempt import ATTEMPT_SECONDS, Attempt, SignInFailed
from webhooks.dashboard.pages.login import Person, refuse, start_session
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit, own_path
from webhooks.services import Services
from webhooks.text import cut
from webhooks.views.limits import Limits

COOKIE = "sign-in"
# Groups that a refusal lists, so that an administrator can copy one into the rules.
MOST_LISTED = 20

_providers: WeakKeyDictionary[Services, Provider] = WeakKeyDictionary()


def start(visit: Visit) -> Page | Response:
    """Lead to the provider's page."""
    there = own_path(visit.request.args.get("next", ""), "/")
    attempt = Attempt.begin(there, time.time())
    try:
        target = _provider(visit).address(attempt)
    except SignInFailed as error:
        return refuse(visit, str(error), 502)
    response: Response = redirect(target, 303)  # type: ignore[assignment]
    is_https = visitors.is_https(visit.request)
    # The provider leads back here from its own site, to which a browser sends Lax cookies.
    age = int(ATTEMPT_SECONDS)
    response.set_cookie(_name(visit), attempt.text, age, secure=is_https, httponly=True, samesite="Lax", path="/")
    return response


def finish(visit: Visit) -> Page | Response:
    """Start a session for the person whom the provider names, or say why not. Raises TooManyFailures."""
    provider, address = _provider(visit), visitors.client_address(visit.request)
    sign_ins = visit.services.inbox.sign_ins
    if seconds := sign_ins.wait_seconds(address):
        raise visitors.TooManyFailures(seconds)
    attempt, answer = Attempt(visit.request.cookies.get(_name(visit), "")), visit.request.args
    try:
        there = attempt.path(answer.get("state", ""), time.time())
    except SignInFailed as error:
        # Not counted: any page can lead a browser here, and would lock its address out.
        return refuse(visit, str(error), 403)
    name = "unknown"
    try:
        if not sign_ins.use_once(attempt.derived("state")):
            raise SignInFailed("This sign-in was finished before. Sign in again.")  # noqa: TRY301 - as the others
        identity = provider.identify(attempt, answer)
        name = visit.services.redact(identity.name)
        role = visit.services.active_rules.rules.access.role_of(identity.groups, identity.email)
        if role is None:
            raise SignInFailed(_without_role(identity))  # noqa: TRY301 - as the others
    except SignInFailed as error:
        sign_ins.record_failure(address)
        reason = visit.services.redact(str(error))
        audit = visit.services.inbox.audit
        audit.record(by=name, origin=f"page {address}", act="sign-in refused", subject="pages", details=reason)
        return refuse(visit, reason, 403)
    settings = visit.services.settings
    person = Person(
        name,
        role.role,
        Limits(role.sites, role.projects).as_text(),
        known_as=f"{identity.subject} at the identity provider",
        subject=f"{settings.oidc_issuer} {identity.subject}",
    )
    # The role is that of the groups at this time: it is looked up again by the next sign-in.
    response = start_session(visit, person, own_path(there, "/"), seconds=settings.oidc_session_hours * 3600)
    response.delete_cookie(_name(visit), path="/", secure=visitors.is_https(visit.request), httponly=True)
    return response


def _without_role(identity: Identity) -> str:
    groups = ", ".join(cut(group, 60) for group in identity.groups[:MOST_LISTED])
    listed = f"The provider names these groups: {groups}." if groups else "The provider names no groups."
    email = f" The verified e-mail address is {identity.email}." if identity.email else ""
    return f"{identity.name} has no role here: no entry of [[access.roles]] in the rules matches. {listed}{email}"


def _provider(visit: Visit) -> Provider:
    if not visit.services.settings.oidc_issuer:
        raise NotFound
    found = _providers.get(visit.services)
    # A provider reads the certificate authorities, which not every request has to do.
    return found or _providers.setdefault(visit.services, Provider(visit.services.settings))


def _name(visit: Visit) -> str:
    return f"__Host-{COOKIE}" if visitors.is_https(visit.request) else COOKIE
