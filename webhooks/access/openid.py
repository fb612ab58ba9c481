"""Sign-in by OpenID Connect: Entra ID, Okta, Google and others. Authlib speaks the protocol, over our own transport.

The code flow with PKCE: https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlencode, urlsplit

from notifiers.errors import NotifierError
from notifiers.transport import Request, Response, Timeouts, Transport
from webhooks.access.sign_in_attempt import LEEWAY_SECONDS, Attempt, SignInFailed
from webhooks.config.settings import Settings
from webhooks.text import count, cut

CALLBACK = "/login/finish"
DISCOVERY = "/.well-known/openid-configuration"
# The browser waits for discovery, keys and the token, one after the other.
LIMITS = Timeouts(connect=3, step=4, total=8)
# Threads of a process that wait for the provider at the same time. The others receive events, also if it hangs.
MAX_WAITING = 3
# Seconds for which the provider's configuration and keys are used.
REMEMBERED_SECONDS = 3600.0
# Keys are read again for an unknown one, but no more often than this: anyone may send a token with another key.
KEYS_PAUSE_SECONDS = 30.0
# Only asymmetric signatures: https://www.rfc-editor.org/rfc/rfc8725#section-3.1
ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "RS512", "ES384"]
MAX_NAME, MAX_GROUPS = 80, 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the provider names them; `email` is empty unless the provider has verified it.

    `subject` identifies the person at the provider, who may be able to change the name.
    """

    subject: str
    name: str
    email: str
    groups: tuple[str, ...]


def problem(settings: Settings) -> str:
    """Return why no one could sign in with these settings; empty if nothing is missing, or if it is not used."""
    if not settings.oidc_issuer:
        return ""
    values = {"OIDC_CLIENT_ID": settings.oidc_client_id, "PUBLIC_URL": settings.public_url}
    if missing := [name for name, value in values.items() if not value]:
        return f"OIDC_ISSUER is set, and {' and '.join(missing)} not: single sign-on needs all of them."
    if find_spec("authlib") is None:
        return 'OIDC_ISSUER is set and Authlib is not installed: pip install "authlib>=1.6,<2"'
    return ""


class Provider:
    """The provider of OIDC_ISSUER. Thread-safe; its configuration and keys are read when they are needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        secret = settings.oidc_client_secret.get_secret_value()
        self._transport = Transport("The identity provider", secrets=[secret], ca_bundle=str(settings.ca_bundle or ""))
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._read: dict[str, tuple[float, dict[str, Any]]] = {}

    @property
    def redirect_uri(self) -> str:
        """The address that the provider leads back to; it is registered there."""
        return self._settings.public_url.rstrip("/") + CALLBACK

    def address(self, attempt: Attempt) -> str:
        """Return the address of the provider's page for a sign-in. Raises SignInFailed."""
        url, _ = self._client().create_authorization_url(
            self._endpoint("authorization_endpoint"),
            state=attempt.derived("state"),
            nonce=attempt.derived("nonce"),
            code_verifier=attempt.derived("verifier"),
        )
        return str(url)

    def identify(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """Return who has signed in, by the parameters of the provider's answer. Raises SignInFailed."""
        from authlib.oauth2 import OAuth2Error  # noqa: PLC0415 - an extra, and used by few requests

        # https://www.rfc-editor.org/rfc/rfc9207: the answer of another provider was mixed in.
        if answer.get("iss", self._settings.oidc_issuer) != self._settings.oidc_issuer:
            raise SignInFailed(f"The answer is from another provider (iss): {cut(answer['iss'], 200)}")
        if "error" in answer:
            reason = ": ".join(filter(None, (answer["error"], answer.get("error_description", ""))))
            raise SignInFailed(f"The provider refused the sign-in: {cut(reason, 300)}")
        if not answer.get("code"):
            raise SignInFailed("The provider's answer has no code.")
        try:
            token = self._client().fetch_token(
                self._endpoint("token_endpoint"),
                grant_type="authorization_code",
                code=answer["code"],
                code_verifier=attempt.derived("verifier"),
                redirect_uri=self.redirect_uri,
            )
        except OAuth2Error as error:
            raise SignInFailed(f"The provider refused the code: {cut(str(error), 300)}") from error
        return self._person(self._claims(dict(token), attempt.derived("nonce")))

    def check(self) -> str:
        """Return a sentence on the provider for `flask doctor`. Raises SignInFailed."""
        self._endpoint("authorization_endpoint")
        keys = count(len(self._keys().get("keys", ())), "signing key")
        return f"{self._settings.oidc_issuer} has {keys}; the address to register is {self.redirect_uri}"

    def _claims(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token whose signature, issuer, audience, times and nonce are right."""
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - as above
        from joserfc import jwt  # noqa: PLC0415 - as above, Authlib needs it
        from joserfc.errors import JoseError  # noqa: PLC0415 - as above
        from joserfc.jwk import KeySet  # noqa: PLC0415 - as above

        if not isinstance(token.get("id_token"), str):
            raise SignInFailed("The provider's token has no id_token; OIDC_SCOPES has to contain openid.")
        settings = self._settings
        expected: dict[str, Any] = {
            "iss": {"essential": True, "value": settings.oidc_issuer},
            "aud": {"essential": True, "value": settings.oidc_client_id},
        }
        params = {"nonce": nonce, "client_id": settings.oidc_client_id, "access_token": token.get("access_token")}
        for keys in (self._keys(), None):
            try:
                known = KeySet.import_key_set(keys or self._keys(again=True))  # type: ignore[arg-type]
                decoded = jwt.decode(token["id_token"], known, algorithms=ALGORITHMS)
                break
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if keys is None:
                    raise SignInFailed(f"The ID token is not signed by the provider: {_words(error)}") from error
        try:
            claims = CodeIDToken(decoded.claims, decoded.header, expected, params)
            claims.validate(int(time.time()), LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignInFailed(f"The ID token is not valid: {_words(error)}{_found(error, decoded.claims)}") from error
        return dict(claims)

    def _person(self, claims: Mapping[str, Any]) -> Identity:
        given = claims.get(self._settings.oidc_groups_claim, ())
        groups = tuple(map(str, [given] if isinstance(given, str) else given if isinstance(given, list) else ()))
        # Entra ID leaves out groups if there are more than 200:
        # https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference#groups-overage-claim
        left_out = claims.get("_claim_names")
        if not groups and isinstance(left_out, Mapping) and self._settings.oidc_groups_claim in left_out:
            raise SignInFailed(
                "The provider has left out the groups, because there are too many. Let it send those that are assigned "
                "to this application, or use roles of the application (OIDC_GROUPS_CLAIM=roles)."
            )
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject.strip():
            raise SignInFailed("The ID token names no one: its sub is empty.")
        email = str(claims.get("email") or "")
        names = (claims.get(name) for name in ("name", "preferred_username", "email", "sub"))
        name = " ".join(str(next(filter(None, names))).split())
        is_verified = claims.get("email_verified") in (True, "true")
        return Identity(cut(subject, MAX_NAME), cut(name, MAX_NAME), email if is_verified else "", groups[:MAX_GROUPS])

    def _client(self) -> Any:
        from authlib.oauth2.client import OAuth2Client  # noqa: PLC0415 - as above

        secret = self._settings.oidc_client_secret.get_secret_value()
        supported = self._configuration().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in supported else "client_secret_post"
        return OAuth2Client(
            session=_Session(self._send),
            client_id=self._settings.oidc_client_id,
            client_secret=secret,
            token_endpoint_auth_method=method if secret else "none",
            scope=self._settings.oidc_scopes,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )

    def _endpoint(self, name: str) -> str:
        """Return an endpoint of the configuration. Raises SignInFailed for one that is less safe than the issuer."""
        url = self._configuration().get(name)
        schemes = ("https", urlsplit(self._settings.oidc_issuer).scheme)
        if not isinstance(url, str) or urlsplit(url).scheme not in schemes:
            raise SignInFailed(f"The provider's configuration has no usable {name}.")
        return url

    def _configuration(self) -> dict[str, Any]:
        found = self._remembered(self._settings.oidc_issuer.rstrip("/") + DISCOVERY, REMEMBERED_SECONDS)
        if found.get("issuer") != self._settings.oidc_issuer:
            issuer = cut(str(found.get("issuer")), 200)
            raise SignInFailed(f"The provider calls itself {issuer}, and OIDC_ISSUER is {self._settings.oidc_issuer}.")
        return found

    def _keys(self, *, again: bool = False) -> dict[str, Any]:
        return self._remembered(self._endpoint("jwks_uri"), KEYS_PAUSE_SECONDS if again else REMEMBERED_SECONDS)

    def _remembered(self, url: str, seconds: float) -> dict[str, Any]:
        """Return the JSON object at an address, as it was read within this time. Raises SignInFailed."""
        with self._lock:
            known = self._read.get(url)
        if known and time.monotonic() - known[0] < seconds:
            return known[1]
        response = self._send(Request("GET", url))
        if response.status != 200 or not (found := response.json()):
            raise SignInFailed(f"The identity provider responded {response.status} without JSON at {url}")
        with self._lock:
            self._read[url] = (time.monotonic(), found)
        return found

    def _send(self, request: Request) -> Response:
        if not self._waiting.acquire(blocking=False):
            raise SignInFailed("Other sign-ins are waiting for the identity provider. Sign in again in a few seconds.")
        try:
            return self._transport.send(request, LIMITS)
        except NotifierError as error:
            raise SignInFailed(str(error)) from error
        finally:
            self._waiting.release()


class _Session:
    """The part of an HTTP library that Authlib uses, with our deadlines, proxies and certificates."""

    def __init__(self, send: Callable[[Request], Response]) -> None:
        self._send = send

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: Any, **_: Any) -> _Answer:
        url, own, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return _Answer(self._send(Request("POST", url, own, body.encode())))


class _Answer:
    def __init__(self, response: Response) -> None:
        self.status_code, self._response = response.status, response
        self.text = response.body.decode("utf-8", "replace")

    def json(self) -> dict[str, Any]:
        found = self._response.json()
        if not found:
            raise SignInFailed(f"The identity provider responded {self.status_code} without JSON.")
        return found

    def raise_for_status(self) -> None:
        raise SignInFailed(f"The identity provider responded {self.status_code}.")


def _words(error: Exception) -> str:
    return cut(str(getattr(error, "description", "") or error or type(error).__name__).rstrip("."), 200)


def _found(error: Exception, claims: Mapping[str, Any]) -> str:
    """Return the value of the claim that an error is about."""
    claim = str(getattr(error, "claim", ""))
    return f". It is {cut(json.dumps(claims[claim]), 200)}." if claim in claims and claim != "nonce" else ""
