"""The flow around every call: the shared session, the request, 401 → renew → once more, the answer or the error."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import BinaryIO, NoReturn, Self

from tableau_rest import errors
from tableau_rest.credentials import Credential
from tableau_rest.protocol import query, responses, version
from tableau_rest.protocol.redaction import redact
from tableau_rest.sessions.session import Session, SharedSession, utc_now
from tableau_rest.sessions.signin import SignIn, server_url
from tableau_rest.sessions.store import MemorySessions, SessionStore
from tableau_rest.transport import CALL_TIMEOUTS, TOKEN, Response, Timeouts, Transport

USER_AGENT = "tableau-webhooks/0.1 (tableau_rest)"
_EVERYBODY = MemorySessions()  # two clients of one process must not knock each other's session out
_RENEWALS = 2  # one for a session somebody left behind dead, one of our own


class Connection:
    """Signs in, sends, repeats once after a dead session, and turns refusals into errors. Thread-safe.

    `server` comes with or without a scheme (without: https; http only where it is written). `site` is the content URL,
    the part of the site's web address; empty for the default site. `api_version` None means what the server offers.
    `sessions` is where the session is shared, by default among all clients of this process; `session_minutes` how long
    it is used, 110 at most. `verify` is what requests takes: True, False, or the file of your own certificates.
    Raises ValueError for a server, credential, version or lifetime that cannot be.
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
        verify: bool | str = True,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if session_minutes <= 0:
            raise ValueError(f"session_minutes must be positive, not {session_minutes!r}")
        base = server_url(server)
        credential.check()
        self.credential, self.site_name = credential, site
        self._api_version = _fitting(api_version, credential)
        self.verify, self._clock, self._sleep = verify, clock, sleep
        self._site_key = f"{base}\n{site}"
        self._transport = Transport(user_agent, verify=verify, sleep=sleep)
        self._sign_in = SignIn(
            self._transport,
            server=base,
            site=site,
            credential=credential,
            api_version=self._api_version,
            minutes=session_minutes,
            clock=clock,
        )
        self._sessions = SharedSession(
            self._sign_in,
            sessions or _EVERYBODY,
            identity=f"{self._site_key}\n{credential.identity}",
            secret=credential.secret,
            clock=clock,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} site {self.site_name!r} by {self.credential.kind}>"

    def close(self) -> None:
        """Closes idle connections. The session stays: others share it."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def session(self) -> Session:
        """The signed-in session in use; signs in if there is none."""
        return self._sessions.current()

    def renew_token(self, dead: str) -> str:
        """The token to use instead of a dead one; signs in only if nobody else has."""
        return self._sessions.renewed(dead).session.token

    @property
    def version(self) -> str:
        """The REST API version that is spoken."""
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
        """Any other call of the REST API: its JSON document, `{}` where the answer is empty.

        `path` is under the site, as in "workbooks/…/revisions"; one that starts with "/" is under the server, and may
        hold {version} and {site}, as in "/api/{version}/sessions/current". `json` is the body. `repeat`: safe to send
        twice when the connection breaks (default: GET only). Raises TableauError.
        """
        body = None if json is None else jsonlib.dumps(json).encode()
        target = path if not params else f"{path}?{query.encode(params)}"
        answer = self._answer(method.upper(), target, body, repeat=repeat, timeouts=timeouts)
        try:
            return responses.document(answer.body)
        except errors.InvalidResponse as error:
            error.status = answer.status
            raise

    def _answer(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        accept: str = "application/json",
        repeat: bool | None = None,
        timeouts: Timeouts = CALL_TIMEOUTS,
        into: BinaryIO | None = None,
        fine: Callable[[Response], bool] = lambda answer: answer.status < 300,
    ) -> Response:
        def send(session: Session) -> Response:
            return self._transport.send(
                method,
                self._url(session, path),
                headers=self._headers(session, accept),
                body=body,
                repeat=repeat,
                timeouts=timeouts,
                into=into,
            )

        return self._signed_in(path, send, fine)

    def _signed_in(self, path: str, send: Callable[[Session], Response], fine: Callable[[Response], bool]) -> Response:
        session, fresh = self._sessions.current(), False
        for _ in range(_RENEWALS):
            answer = send(session)
            if fine(answer):
                return answer
            server = self._new_home(self._url(session, path), answer)
            if fresh or not (server or self._is_dead(session, answer)):
                self._refuse(answer, session)
            session, fresh = self._sessions.renewed(session.token, server)
        answer = send(session)
        return answer if fine(answer) else self._refuse(answer, session)

    def _new_home(self, url: str, answer: Response) -> str | None:
        if answer.status not in {301, 302, 307, 308}:
            return None
        return responses.moved(url.partition("?")[0], answer.headers.get("Location", "").partition("?")[0])

    def _is_dead(self, session: Session, answer: Response) -> bool:
        """401 always means so. Some servers say 403 as well, so there the session itself is asked about."""
        if answer.status != 403:
            return answer.status == 401
        url = self._url(session, "/api/{version}/sessions/current")
        status = self._transport.send("GET", url, headers=self._headers(session, "application/json")).status
        # Whether a connected app may ask this at all is not documented, so its 403 proves nothing.
        return status == 401 or (status == 403 and self.credential.kind != "jwt")

    def _refuse(self, answer: Response, session: Session) -> NoReturn:
        error = responses.error(answer.status, answer.headers, answer.body, now=self._clock())
        error.detail = redact(error.detail, session.token, self.credential.secret)
        if isinstance(error, errors.SignInFailed):  # 401001 belongs to sign-ins; here it is one more dead session
            error = errors.Unauthorized(error.summary, detail=error.detail, status=error.status, code=error.code)
        if isinstance(error, errors.Unauthorized) and self.credential.kind == "pat":
            error.advice = "A new session was refused too: is the same personal access token used somewhere else?"
        if isinstance(error, errors.Unauthorized) and self.credential.kind == "jwt":
            error.permanent = True  # nothing knocks these sessions out; what is refused is the scope
        raise error

    def _url(self, session: Session, path: str) -> str:
        spoken = self._api_version or session.version
        if path.startswith("/"):
            return session.server + path.replace("{version}", spoken).replace("{site}", session.site_luid)
        return f"{session.server}/api/{spoken}/sites/{session.site_luid}/{path}"

    def _headers(self, session: Session, accept: str) -> dict[str, str]:
        return {TOKEN: session.token, "Accept": accept, "Content-Type": "application/json"}


def _fitting(api_version: str | None, credential: Credential) -> str | None:
    if not api_version:
        return None
    needed = credential.since
    if version.is_older(version.validate(api_version), needed):
        raise ValueError(f"signing in with {credential.kind} needs REST API {needed}, not {api_version}")
    return api_version
