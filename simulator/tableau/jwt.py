"""Checks the JWT of a connected app (direct trust): HS256, the claims Tableau asks for, each token used once.

https://help.tableau.com/current/online/en-us/connected_apps_direct.htm
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from simulator.config import Config

LONGEST = timedelta(minutes=10)
SKEW = timedelta(seconds=30)


class Refused(Exception):
    """The token does not sign anybody in; the text has Tableau's number for why."""


@dataclass(frozen=True)
class Claims:
    """What a token asserts."""

    user: str
    scopes: tuple[str, ...]


def verify(token: str, config: Config, used: dict[str, datetime], now: datetime) -> Claims:
    """Check a token against the connected app; its `jti` goes into `used`. Raises Refused."""
    claims = _decoded(token, _secret(token, config))
    if claims.get("iss") != config.ca_client or claims.get("aud") != "tableau":
        raise Refused("Signin Error (16): issuer or audience do not match")
    _timely(claims, now)
    _once(str(claims.get("jti") or ""), used, now)
    scopes = claims.get("scp")
    if not isinstance(scopes, list) or not all(str(scope).startswith("tableau:") for scope in scopes):
        raise Refused("Signin Error (16): the scopes are not a list of Tableau's scopes")
    return Claims(str(claims.get("sub") or ""), tuple(map(str, scopes)))


def _secret(token: str, config: Config) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise Refused("Signin Error (10): the token is no JWT") from error
    if header.get("alg") != "HS256":
        raise Refused("Signin Error (16): the algorithm must be HS256")
    if header.get("iss") != config.ca_client:
        raise Refused("Signin Error (126): the connected app is not found or is disabled")
    secrets = {config.ca_secret_id: config.ca_secret_value, **config.more_ca_secrets}
    if header.get("kid") not in secrets:
        raise Refused("Signin Error (127): the connected app has no such secret")
    return secrets[header["kid"]]


def _decoded(token: str, secret: str) -> dict[str, Any]:
    try:
        # Times are checked against our own clock, which a test may have set.
        unchecked = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
        claims: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], options=unchecked)  # type: ignore[arg-type]
    except jwt.InvalidTokenError as error:
        raise Refused("Signin Error (16): the signature does not fit") from error
    return claims


def _timely(claims: dict[str, Any], now: datetime) -> None:
    try:
        expires = datetime.fromtimestamp(float(claims["exp"]), UTC)
        earliest = datetime.fromtimestamp(float(claims.get("nbf", 0)), UTC)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Refused("Signin Error (16): the token does not say when it expires") from error
    if not now - SKEW < expires <= now + LONGEST + SKEW or earliest > now + SKEW:
        raise Refused(
            "Signin Error (16): the token has expired, is not valid yet, or is valid for more than ten minutes"
        )


def _once(jti: str, used: dict[str, datetime], now: datetime) -> None:
    for old in [name for name, at in used.items() if now - at > LONGEST + 2 * SKEW]:
        del used[old]
    if not jti or jti in used:
        raise Refused("Signin Error (16): the token has been used before, or has no jti")
    used[jti] = now
