"""A small identity provider on loopback: discovery, keys, the page for signing in, and the token endpoint."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

Claims = dict[str, Any]


class IdentityProvider:
    """Signs ID tokens with RS256. `change` may alter the claims, `key` is what it signs with."""

    def __init__(self) -> None:
        self.url = ""
        self._first = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.reset()

    def reset(self) -> None:
        """Forget everything but the address and the first key."""
        self.keys = {"first": self._first}
        self.key = "first"
        self.client = ("tableau-webhooks", "client-secret-of-the-test")
        self.person: Claims = {"sub": "42", "name": "Ann Okafor", "groups": ["BI team"]}
        self.change: Callable[[Claims], Claims] = lambda claims: claims
        self.algorithm = "RS256"
        self.configuration: dict[str, Any] = {}
        self.requests: list[str] = []
        self.delay = 0.0
        self._codes: dict[str, dict[str, str]] = {}

    def respond(self, request: Request) -> Response:
        """Return the response to a request."""
        self.requests.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            time.sleep(self.delay)
            return _json(self._discovery())
        if request.path == "/keys":
            own = {name: key for name, key in self.keys.items() if not name.startswith("unpublished")}
            public = [
                json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": name, "use": "sig"}
                for name, key in own.items()
            ]
            return _json({"keys": public})
        if request.path == "/token":
            return self._token(request)
        return Response(status=404)

    def sign_in(self, address: str) -> str:
        """Play the person at the provider's page, and return the path with the answer."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == self.client[0]
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        back = urlsplit(query["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': query['state']})}"

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        } | self.configuration

    def _token(self, request: Request) -> Response:
        form, given = request.form, request.authorization
        # A code is of use once.
        asked = self._codes.pop(form.get("code", ""), None)
        if given is None or (given.username, given.password) != self.client:
            return _json({"error": "invalid_client"}, 401)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return _json({"error": "invalid_grant", "error_description": "the code is not valid"}, 400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.client[0], "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = self.change({**claims, **self.person})
        key: Any = self.keys[self.key] if self.algorithm == "RS256" else self.client[1] * 2
        signed = jwt.encode(
            claims, key, algorithm=self.algorithm, headers={"kid": self.key.removeprefix("unpublished ")}
        )
        return _json({"access_token": "opaque", "token_type": "Bearer", "id_token": signed})


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")


@contextmanager
def running() -> Iterator[IdentityProvider]:
    """Serve a provider on loopback."""
    provider = IdentityProvider()
    server = make_server("127.0.0.1", 0, Request.application(provider.respond), threaded=True)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
