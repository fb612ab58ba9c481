"""The way of every call: shared session, request, renewal of an ended session, response or typed error."""

from __future__ import annotations

import json as jsonlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, Self, TypeVar

from tableau_rest import errors
from tableau_rest.credentials import Credential
from tableau_rest.protocol import query, redirects, responses
from tableau_rest.protocol.fields import Data
from tableau_rest.protocol.redaction import redact
from tableau_rest.sessions.refusals import Refusals
from tableau_rest.sessions.session import Session, SharedSession, utc_now
from tableau_rest.sessions.sign_in import SignIn, server_url
from tableau_rest.sessions.store import MemorySessions, SessionStore
from tableau_rest.transport import (
    CALL_TIMEOUTS,
    TOKEN_HEADER,
    Observe,
    Response,
    Timeouts,
    Transport,
    not_observed,
)

log = logging.getLogger("tableau_rest")

USER_AGENT = "tableau-webhooks/0.1 (tableau_rest)"
# The default store, so that two clients of one process with one token do not end each other's session.
_PROCESS_SESSIONS = MemorySessions()
# One if the store has a session that has ended as well, one for a new session.
_RENEWALS = 2
_CURRENT_SESSION = "/api/{version}/sessions/current"

M_co = TypeVar("M_co", covariant=True)


class Readable(Protocol[M_co]):
    """A model that can be read from JSON."""

    def from_json(self, data: Data, /) -> M_co: ...


class Connection:
    """Signs in, sends calls, repeats one after its session ended, and raises typed errors. Thread-safe.

    See `Tableau` for the arguments.
    """

    def __init__(
        self,
        server: str,
        site: str,
        credential: Credential,
        *,
        api_version: str | None = None,
        sessions: SessionStore | None = None,
        session_minutes: float = 90,
        user_agent: str = USER_AGENT,
        ca_bundle: str | Path | None = None,
        verify: bool = True,
        observe: Observe = not_observed,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        base = server_url(server)
        self.credential, self.site_name = credential, site
        self._api_version = api_version or None
        self.ca_bundle, self.verify = str(ca_bundle or ""), verify
        self._clock, self._sleep = clock, sleep
        self._site_key = f"{base}\n{site}"
        self._transport = Transport(user_agent, ca_bundle=self.ca_bundle, verify=verify, sleep=sleep, observe=observe)
        self._sign_in = SignIn(
            self._transport,
            server=base,
            site=site,
            credential=credential,
            api_version=self._api_version,
            session_minutes=session_minutes,
            clock=clock,
        )
        self._sessions = SharedSession(
            self._sign_in,
            sessions or _PROCESS_SESSIONS,
            identity=f"{self._site_key}\n{credential.identity}",
            secret=credential.secret,
            clock=clock,
        )
        self._refusals = Refusals(clock)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} site {self.site_name!r} by {self.credential.kind}>"

    def close(self) -> None:
        """Close idle connections. The session is not signed out, because others share it."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def session(self) -> Session:
        """Return the session in use; sign in if there is none."""
        with self._redacted_errors():
            return self._sessions.current()

    def renew_token(self, method: str, url: str, ended: str) -> str | None:
        """Return the token to use instead of an ended one; sign in only if no other user of the session has.

        Return None if Tableau refuses this call with every session, so that another token would not help.
        """
        with self._redacted_errors():
            session = self._sessions.current()
            if session.token == ended and not self._has_ended(session, 401, method, url):
                return None
            return self._sessions.renewed(ended).session.token

    @property
    def version(self) -> str:
        """The REST API version in use."""
        return self._api_version or self.session().version

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        json: object = None,
        repeat: bool | None = None,
        timeouts: Timeouts = CALL_TIMEOUTS,
    ) -> responses.Json:
        """Send any other call of the REST API; return its JSON document, `{}` for an empty response.

        `path` is relative to the site, as in "workbooks/…/revisions". A path that starts with "/" is relative to the
        server and may contain {version} and {site}, as in "/api/{version}/sessions/current". `json` is the body.
        `repeat`: the request may be sent twice if the connection breaks (default: GET only). Raises TableauError.
        """
        body = None if json is None else jsonlib.dumps(json).encode()
        target = path if not params else f"{path}?{query.encode(params)}"
        response = self._send(method.upper(), target, body, repeat=repeat, timeouts=timeouts)
        with self._redacted_errors():
            try:
                return responses.document(response.body)
            except errors.InvalidResponse as error:
                error.status = response.status
                raise

    def _get(self, model: Readable[M_co], path: str, *names: str) -> M_co:
        """Return the model of the object that a GET returns under one of the names; its LUID ends the path."""
        return self._read(model, self.request("GET", path), *names, luid=path.rpartition("/")[2])

    def _read(self, model: Readable[M_co], document: responses.Json, *names: str, luid: str = "") -> M_co:
        """Return the model of the object in a response; with `luid`, it must have that one.

        Raises InvalidResponse if the object is missing, or is another one.
        """
        with self._redacted_errors():
            return model.from_json(responses.only(document, *names, luid=luid))

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        accept: str = "application/json",
        repeat: bool | None = None,
        timeouts: Timeouts = CALL_TIMEOUTS,
        into: BinaryIO | None = None,
        succeeded: Callable[[Response], bool] = lambda response: response.status < 300,
    ) -> Response:
        """Return the response to a call, sent again with another session if the first one has ended."""
        with self._redacted_errors():
            session, signed_in = self._sessions.current(), False
            for attempt in range(1 + _RENEWALS):
                url = self._url(session, path)
                headers = self._headers(session, accept)
                response = self._transport.send(
                    method, url, headers=headers, body=body, repeat=repeat, timeouts=timeouts, into=into
                )
                if succeeded(response):
                    return response
                moved = response.status in redirects.STATUSES
                called = url.partition("?")[0]
                server = redirects.new_server(called, response.headers, response.status) if moved else None
                ended = moved or self._has_ended(session, response.status, method, path)
                if signed_in or attempt == _RENEWALS or not ended:
                    break
                session, signed_in = self._sessions.renewed(session.token, server)
            raise self._refusal(response, session, method, path, signed_in=signed_in)

    def _has_ended(self, session: Session, status: int, method: str, path: str) -> bool:
        """Return whether a response of this status means that the session has ended.

        401 says so, unless Tableau refuses this call with every session. Some servers respond 403, which usually means
        something else. In both cases the session itself is queried; whether a connected app may do that is not
        documented, so its being refused proves nothing.
        """
        if status == 401 and not self._refusals.has(method, path):
            return True
        if status == 401 and self.credential.kind != "jwt":
            return self._session_status(session) == 401
        if status == 403:
            found = self._session_status(session)
            return found == 401 or (found == 403 and self.credential.kind != "jwt")
        return False

    def _session_status(self, session: Session) -> int:
        """Return the status of a query for the session itself, 0 if it is not Tableau that responds."""
        url = self._url(session, _CURRENT_SESSION)
        response = self._transport.send("GET", url, headers=self._headers(session, "application/json"))
        is_tableau = response.status < 300 or not isinstance(self._error_of(response), errors.InvalidResponse)
        return response.status if is_tableau else 0

    def _error_of(self, response: Response) -> errors.TableauError:
        return responses.error(response.status, response.headers, response.body, now=self._clock())

    def _refusal(
        self, response: Response, session: Session, method: str, path: str, *, signed_in: bool
    ) -> errors.TableauError:
        """Return the error for a response. `signed_in`: its session was made for this call."""
        error = self._error_of(response)
        if response.status == 401 and isinstance(error, errors.InvalidResponse) and signed_in:
            self.remember_refusal(method, path)  # a proxy refuses the call, so signing in again would not help
        if not isinstance(error, errors.SignInFailed | errors.Unauthorized):
            return error
        status = self._session_status(session) if self.credential.kind != "jwt" else 200
        confirmed = signed_in or self._refusals.has(method, path)
        kind: type[errors.TableauError] = errors.Unauthorized
        advice = ""
        if status == 401 and self.credential.kind == "pat":
            advice = "A new session was refused too: is the same personal access token used somewhere else?"
        elif confirmed and status != 401 and status < 429:
            kind = errors.NotPermitted
            # A refusal known only from memory is not remembered again, so that it is verified once an hour.
            verified = signed_in or (status == 200 and self.credential.kind != "jwt")
            if verified and self.remember_refusal(method, path):
                log.warning("Tableau refuses %s %s with a valid session", method, path.partition("?")[0])
            if status != 200:  # this server does not say whether the session is valid
                advice = "The signed-in user may lack the right to do this, or the same token is used somewhere else."
        return kind(error.summary, detail=error.detail, status=error.status, code=error.code, advice=advice)

    def remember_refusal(self, method: str, path: str) -> bool:
        """Remember that Tableau refuses a call with a valid session; return whether that is new."""
        return self._refusals.add(method, path)

    @contextmanager
    def _redacted_errors(self) -> Iterator[None]:
        """Mask secrets that a server repeated in the texts of an error."""
        try:
            yield
        except errors.TableauError as error:
            error.rewrite(self._redact)
            raise

    def _redact(self, text: str) -> str:
        return redact(text, (*self.credential.secrets, *self._sessions.tokens))

    def _url(self, session: Session, path: str) -> str:
        api_version = self._api_version or session.version
        if path.startswith("/"):
            return session.server + path.replace("{version}", api_version).replace("{site}", session.site_luid)
        return f"{session.server}/api/{api_version}/sites/{session.site_luid}/{path}"

    def _headers(self, session: Session, accept: str) -> dict[str, str]:
        return {TOKEN_HEADER: session.token, "Accept": accept, "Content-Type": "application/json"}
