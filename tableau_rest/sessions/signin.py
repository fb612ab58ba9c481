"""Signing in: which version, which host, and what to do when Tableau refuses."""

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
from tableau_rest.protocol import responses, version
from tableau_rest.protocol.fields import child, text
from tableau_rest.protocol.redaction import redact
from tableau_rest.sessions.session import Session
from tableau_rest.transport import Response, Timeouts, Transport

log = logging.getLogger("tableau_rest")

JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
# Cloud ends a session after 120 minutes; ten of them are for calls that are under way.
LONGEST_SESSION = timedelta(minutes=110)
# Others wait for the lock meanwhile, and a lock may end after a minute: no step begins later than this.
SIGN_IN_TIMEOUTS = Timeouts(connect=5.0, read=10.0, total=15.0)
_LAST_STEP = 30.0
_HOPS = 3
_REDIRECTS = {301, 302, 307, 308}


def server_url(server: str) -> str:
    """The base URL of a server named with or without a scheme; without one it is https. Raises ValueError."""
    given = server.strip()
    url = urlsplit(given if "://" in given else f"https://{given}")
    if url.scheme not in {"https", "http"} or not url.hostname or url.query or url.fragment or url.path.strip("/"):
        raise ValueError(f"not the address of a server: {server!r} (expected is https://10ax.online.tableau.com)")
    if url.username or url.password:
        raise ValueError("the address of the server must not hold a user name or password")
    return f"{url.scheme}://{url.netloc.lower()}"


class SignIn:
    """Signs in with one credential to one site; call it to get a new Session. The site is its content URL."""

    def __init__(
        self,
        door: Transport,
        *,
        server: str,
        site: str,
        credential: Credential,
        api_version: str | None,
        minutes: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._transport, self._server, self._site, self._credential = door, server, site, credential
        self._api_version, self._clock = api_version, clock
        self._lifetime = min(timedelta(minutes=minutes), LONGEST_SESSION)

    def __call__(self, server: str | None = None) -> Session:
        """A new session. Raises SignInFailed with advice, or what else went wrong on the way."""
        now, until = self._clock(), time.monotonic() + _LAST_STEP
        found, offered = self._version(server or self._server, until)
        path = f"/api/{offered}/auth/signin"
        server, answer = _follow(found, path, lambda at: self._prove(at, path, now, until))
        if server != found:
            server, offered = self._version(server, until)
        session = self._session(answer, server, offered, now)
        log.info("Signed in to %s, site %r, with %s", server, self._site, self._credential.kind)
        return session

    def server_info(self) -> Mapping[str, object]:
        """The `serverInfo` of the configured server; needs no session."""
        return self._server_info(self._server, time.monotonic() + _LAST_STEP)[1]

    def _version(self, server: str, until: float) -> tuple[str, str]:
        if self._api_version:
            return server, self._api_version
        server, info = self._server_info(server, until)
        try:
            return server, version.negotiate(text(info, "restApiVersion"))
        except ValueError as exc:
            raise errors.InvalidResponse(
                f"{server} does not tell its REST API version", advice="Configure one."
            ) from exc

    def _server_info(self, server: str, until: float) -> tuple[str, Mapping[str, object]]:
        path = f"/api/{version.SERVER_INFO}/serverinfo"
        server, answer = _follow(server, path, lambda at: self._send("GET", at + path, None, until))
        if answer.status != 200:
            raise responses.error(answer.status, answer.headers, answer.body, now=self._clock())
        return server, child(responses.document(answer.body), "serverInfo")

    def _prove(self, server: str, path: str, now: datetime, until: float) -> Response:
        """The answer to the first proof that is not refused; made anew for each host, as a JWT is good for one use."""
        refused: errors.TableauError = errors.SignInFailed("the credential offers no way to sign in")
        for proof in self._credential.sign_ins(now):
            body = json.dumps({"credentials": {**proof, "site": {"contentUrl": self._site}}}).encode()
            answer = self._send("POST", server + path, body, until)
            if answer.status == 200 or answer.status in _REDIRECTS:
                return answer
            refused = self._refusal(answer, server)
            if not isinstance(refused, errors.SignInFailed):
                break
        raise refused

    def _send(self, method: str, url: str, body: bytes | None, until: float) -> Response:
        if time.monotonic() > until:
            raise errors.ConnectionFailed(f"{url} takes too long")
        repeat = method == "GET" or self._credential.kind != "jwt"  # signing in twice does no other harm
        return self._transport.send(
            method, url, headers=JSON_HEADERS, body=body, repeat=repeat, timeouts=SIGN_IN_TIMEOUTS
        )

    def _session(self, answer: Response, server: str, offered: str, now: datetime) -> Session:
        said = child(responses.document(answer.body), "credentials")
        token, site, user = text(said, "token"), text(child(said, "site"), "id"), text(child(said, "user"), "id")
        if not token or not site:
            raise errors.InvalidResponse(f"{server} answered the sign-in without a token")
        return Session(token, site, user, server, offered, now, now + self._lifetime, now)

    def _refusal(self, answer: Response, server: str) -> errors.TableauError:
        error = responses.error(answer.status, answer.headers, answer.body, now=self._clock())
        if error.status in {401, 403} and not isinstance(error, errors.SignInFailed):
            error = errors.SignInFailed(error.summary, detail=error.detail, status=error.status, code=error.code)
        error.detail = redact(error.detail, self._credential.secret)
        if isinstance(error, errors.SignInFailed | errors.NotFound):
            error.advice = " ".join(filter(None, (self._advice(error, server), self._skew(answer))))
        return error

    def _advice(self, error: errors.TableauError, server: str) -> str:
        site = f"Also check the site, {self._site!r}: it is the name in the site's web address, not the one shown."
        if isinstance(error, errors.NotFound):
            return f"{site} And check that {server} is a Tableau server."
        if self._credential.kind == "pat":
            return (
                "Check the name and secret of the personal access token, and under My Account Settings that it has not"
                f" expired (also after 15 days without use) or been revoked. {site}"
            )
        if self._credential.kind == "password":
            cloud = "online.tableau.com" in server
            mfa = (
                "Tableau Cloud demands MFA, so passwords" if cloud else "Where users sign in with MFA or SSO, passwords"
            )
            return f"Check user name and password. {mfa} do not work: use a personal access token. {site}"
        return f"{_app_advice(error.detail)} {site}"

    def _skew(self, answer: Response) -> str:
        try:
            skew = self._clock() - parsedate_to_datetime(answer.headers.get("Date", ""))
        except (TypeError, ValueError):
            return ""
        if self._credential.kind != "jwt" or abs(skew) < timedelta(minutes=2):
            return ""
        return f"This machine's clock differs from the server's by {round(abs(skew).total_seconds() / 60)} minutes."


def _follow(server: str, path: str, ask: Callable[[str], Response]) -> tuple[str, Response]:
    """The answer, and the server that gave it: Cloud's generic host sends to the pod of the site."""
    for _ in range(_HOPS):
        answer = ask(server)
        if answer.status not in _REDIRECTS:
            return server, answer
        server = responses.moved(server + path, answer.headers.get("Location", ""))
    raise errors.InvalidResponse("Tableau sends sign-ins in a circle", detail=server)


# https://help.tableau.com/current/online/en-us/connected_apps_troubleshoot.htm
_APP_ERRORS = {
    "5": "The user of the connected app is unknown on this site; its name is case-sensitive (the e-mail on Cloud).",
    "16": "The JWT was refused: check the secret value and that the app was granted every scope that is asked for.",
    "126": "The connected app was not found or is disabled: check the client id and enable the app.",
    "127": "The secret id was not found in the connected app: it may have been deleted; configure the other one.",
}
_APP_GENERAL = (
    "Check the connected app: is it enabled, do client id, secret id and secret value belong together, was it granted"
    " every scope that is asked for, and does the user exist on the site?"
)


def _app_advice(detail: str) -> str:
    return next((_APP_ERRORS[word] for word in re.findall(r"\d+", detail) if word in _APP_ERRORS), _APP_GENERAL)
