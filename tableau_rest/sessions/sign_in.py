"""Signing in: the version to use, the server to use, and advice if Tableau refuses the credential."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from tableau_rest import errors
from tableau_rest.credentials import Credential
from tableau_rest.protocol import redirects, responses, version
from tableau_rest.protocol.fields import child, text
from tableau_rest.protocol.luid import is_luid
from tableau_rest.sessions.session import Session
from tableau_rest.transport import Response, Timeouts, Transport

log = logging.getLogger("tableau_rest")

JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
# Tableau Cloud ends a session after 120 minutes; ten of them are for calls that are under way.
# https://help.salesforce.com/s/articleView?id=001498381&type=1
LONGEST_SESSION = timedelta(minutes=110)
SIGN_IN_TIMEOUTS = Timeouts(connect=5.0, read=10.0, total=15.0)
# Seconds after which no further request of a sign-in begins: others wait for the lock meanwhile, and a store may end a
# lock after a minute.
LAST_STEP = 30.0
# Tableau Cloud needs one redirect: from its generic host to the pod of the site.
_MAX_REDIRECTS = 3
_MAX_TOKEN = 4096
_WRONG_ADDRESS = "Check that this is the address of a Tableau server, and that no proxy responds in its place."


def server_url(server: str) -> str:
    """Return the base URL of a server named with or without a scheme; without one it is https. Raises ValueError."""
    given = server.strip()
    url = urlsplit(given if "://" in given else f"https://{given}")
    if url.scheme not in {"https", "http"} or not url.hostname or url.query or url.fragment or url.path.strip("/"):
        raise ValueError(f"not the address of a server: {server!r} (expected the form https://10ax.online.tableau.com)")
    if url.username or url.password:
        raise ValueError("the address of the server must not contain a user name or password")
    return f"{url.scheme}://{url.netloc.lower()}"


class SignIn:
    """Signs in with one credential to one site, named by its content URL; call it for a new Session.

    Raises ValueError if the credential is incomplete or needs a later `api_version`, or if `session_minutes` are not
    positive.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        server: str,
        site: str,
        credential: Credential,
        api_version: str | None,
        session_minutes: float,
        clock: Callable[[], datetime],
    ) -> None:
        if session_minutes <= 0:
            raise ValueError(f"session_minutes must be positive, not {session_minutes!r}")
        credential.check()
        if api_version and version.is_older(version.validate(api_version), credential.since):
            raise ValueError(f"signing in with {credential.kind} needs REST API {credential.since}, not {api_version}")
        self._transport, self._server, self._site, self._credential = transport, server, site, credential
        self._api_version, self._clock = api_version, clock
        self._lifetime = min(timedelta(minutes=session_minutes), LONGEST_SESSION)

    def __call__(self, server: str | None = None) -> Session:
        """Return a new session. Raises SignInFailed with advice, ConnectionFailed or InvalidResponse."""
        now, last_step = self._clock(), time.monotonic() + LAST_STEP
        found, api_version = self._negotiate(server or self._server, last_step)
        path = f"/api/{api_version}/auth/signin"
        # Tableau accepts a JWT once, so each server is sent another one.
        server, response = _follow(found, path, lambda at: self._send_credential(at, path, now, last_step))
        if server != found:
            server, api_version = self._negotiate(server, last_step)
        session = self._read_session(response, server, api_version, now)
        log.info("Signed in to %s, site %r, with %s", server, self._site, self._credential.kind)
        return session

    def server_info(self) -> Mapping[str, object]:
        """Return the `serverInfo` of the configured server, which needs no session."""
        return self._server_info(self._server, time.monotonic() + LAST_STEP)[1]

    def _negotiate(self, server: str, last_step: float) -> tuple[str, str]:
        """Return the server, after redirects, and the API version to use with it."""
        if self._api_version:
            return server, self._api_version
        server, info = self._server_info(server, last_step)
        try:
            return server, version.negotiate(text(info, "restApiVersion"))
        except ValueError:
            raise errors.InvalidResponse(f"{server} sent no REST API version", advice="Configure one.") from None

    def _server_info(self, server: str, last_step: float) -> tuple[str, Mapping[str, object]]:
        path = f"/api/{version.SERVER_INFO}/serverinfo"
        server, response = _follow(server, path, lambda at: self._send("GET", at + path, None, last_step))
        if response.status != 200:
            raise self._refusal(response, server)
        info = child(responses.document(response.body), "serverInfo")
        if not info:
            raise errors.InvalidResponse(f"{server} does not respond like a Tableau server", advice=_WRONG_ADDRESS)
        return server, info

    def _send_credential(self, server: str, path: str, now: datetime, last_step: float) -> Response:
        """Return the response to the first form of the credential that is not refused."""
        refusal: errors.TableauError = errors.SignInFailed("The credential has no form to sign in with")
        for form in self._credential.sign_ins(now):
            body = json.dumps({"credentials": {**form, "site": {"contentUrl": self._site}}}).encode()
            response = self._send("POST", server + path, body, last_step)
            if response.status == 200 or response.status in redirects.STATUSES:
                return response
            refusal = self._refusal(response, server)
            if not isinstance(refusal, errors.SignInFailed):
                break
        raise refusal

    def _send(self, method: str, url: str, body: bytes | None, last_step: float) -> Response:
        if time.monotonic() > last_step:
            raise errors.ConnectionFailed(f"{url} took too long to respond")
        # Sending a credential twice makes another session at worst; a JWT would be refused the second time.
        repeat = method == "GET" or self._credential.kind != "jwt"
        return self._transport.send(
            method, url, headers=JSON_HEADERS, body=body, repeat=repeat, timeouts=SIGN_IN_TIMEOUTS
        )

    def _read_session(self, response: Response, server: str, api_version: str, now: datetime) -> Session:
        """Return the session in a response. Token and site become part of every request, so they are checked here."""
        data = child(responses.document(response.body), "credentials")
        token, site, user = text(data, "token"), text(child(data, "site"), "id"), text(child(data, "user"), "id")
        if not (0 < len(token) <= _MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token):
            raise errors.InvalidResponse(f"{server} responded to the sign-in without a token", advice=_WRONG_ADDRESS)
        if not is_luid(site):
            raise errors.InvalidResponse(
                f"{server} responded to the sign-in without the site's LUID", advice=_WRONG_ADDRESS
            )
        return Session(token, site, user, server, api_version, now, now + self._lifetime, now)

    def _refusal(self, response: Response, server: str) -> errors.TableauError:
        error = responses.error(response.status, response.headers, response.body, now=self._clock())
        if error.status in {401, 403} and not error.code:
            summary = f"{server} responded with {error.status}, but not as Tableau does"
            return errors.InvalidResponse(summary, detail=error.detail, status=error.status, advice=_WRONG_ADDRESS)
        if error.status in {401, 403} and not isinstance(error, errors.SignInFailed):
            error = errors.SignInFailed(error.summary, detail=error.detail, status=error.status, code=error.code)
        if isinstance(error, errors.SignInFailed | errors.NotFound):
            error.advice = " ".join(filter(None, (self._advice(error, server), self._clock_advice(response))))
        return error

    def _advice(self, error: errors.TableauError, server: str) -> str:
        site = f"Also check the site, {self._site!r}: it is the name in the site's web address, not its display name."
        if isinstance(error, errors.NotFound):
            return f"{site} And check that {server} is a Tableau server."
        if self._credential.kind == "pat":
            return (
                "Check the name and secret of the personal access token, and under My Account Settings that it has not"
                f" expired (also after 15 days without use) or been revoked. {site}"
            )
        if self._credential.kind == "password":
            cloud = "online.tableau.com" in server
            mfa = "Tableau Cloud requires MFA, so" if cloud else "If users sign in with MFA or SSO,"
            return f"Check user name and password. {mfa} passwords do not work: use a personal access token. {site}"
        numbers = re.findall(r"[0-9]+", error.detail)
        return f"{next((_APP_ERRORS[number] for number in numbers if number in _APP_ERRORS), _APP_ADVICE)} {site}"

    def _clock_advice(self, response: Response) -> str:
        """Return advice if this machine's clock is wrong, which invalidates a JWT."""
        try:
            difference = abs(self._clock() - parsedate_to_datetime(response.headers.get("Date", "")[:100]))
        except (TypeError, ValueError, OverflowError):
            return ""
        if self._credential.kind != "jwt" or difference < timedelta(minutes=2):
            return ""
        minutes = round(difference.total_seconds() / 60)
        return f"This machine's clock differs from the server's by {minutes} minutes."


def _follow(server: str, path: str, send: Callable[[str], Response]) -> tuple[str, Response]:
    """Return the response and the server that sent it, after redirects."""
    for _ in range(_MAX_REDIRECTS):
        response = send(server)
        if response.status not in redirects.STATUSES:
            return server, response
        server = redirects.new_server(server + path, response.headers, response.status)
    raise errors.InvalidResponse("Tableau redirects the sign-in in a circle", detail=server)


# https://help.tableau.com/current/online/en-us/connected_apps_troubleshoot.htm
_APP_ERRORS = {
    "5": "The user of the connected app is unknown on this site; its name is case-sensitive (the e-mail on Cloud).",
    "16": "The JWT was refused: check the secret value, and that the app was granted every scope that is requested.",
    "126": "The connected app was not found or is disabled: check the client id and enable the app.",
    "127": "The secret id was not found in the connected app: it may have been deleted; configure the other one.",
}
_APP_ADVICE = (
    "Check the connected app: is it enabled, do client id, secret id and secret value belong together, was it granted"
    " every scope that is requested, and does the user exist on the site?"
)
