"""Verify the JWT of a connected app (direct trust): HS256, the claims that Tableau requires, each token used once.

https://help.tableau.com/current/online/en-us/connected_apps_direct.htm
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from simulator.config import Config

MAX_LIFETIME = timedelta(minutes=10)
CLOCK_SKEW = timedelta(seconds=30)
# Times are checked against the simulator's clock, which a test may have set.
NOT_CHECKED_BY_LIBRARY = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}


class Refused(Exception):
    """The token does not sign a user in; the text has Tableau's error number."""


@dataclass(frozen=True)
class Claims:
    """The user and the scopes that a token asserts."""

    user: str
    scopes: tuple[str, ...]


def verify(token: str, config: Config, used: dict[str, datetime], now: datetime) -> Claims:
    """Verify a token against the connected app and add its `jti` to `used`. Raises Refused."""
    secret = _secret(token, config)
    try:
        claims = jwt.decode(token, secret, algorithms=["HS256"], options=NOT_CHECKED_BY_LIBRARY)  # type: ignore[arg-type]
    except jwt.InvalidTokenError as error:
        raise Refused("Signin Error (16): the signature does not match") from error
    if claims.get("iss") != config.ca_client or claims.get("aud") != "tableau":
        raise Refused("Signin Error (16): issuer or audience do not match")
    try:
        expires = datetime.fromtimestamp(float(claims["exp"]), UTC)
        earliest = datetime.fromtimestamp(float(claims.get("nbf", 0)), UTC)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Refused("Signin Error (16): the token has no valid expiry time") from error
    if not now - CLOCK_SKEW < expires <= now + MAX_LIFETIME + CLOCK_SKEW or earliest > now + CLOCK_SKEW:
        raise Refused(
            "Signin Error (16): the token has expired, is not valid yet, or is valid for more than ten minutes"
        )
    _use(str(claims.get("jti") or ""), used, now)
    scopes = claims.get("scp")
    if not isinstance(scopes, list) or not all(str(scope).startswith("tableau:") for scope in scopes):
        raise Refused("Signin Error (16): the scopes are not a list of Tableau's scopes")
    return Claims(str(claims.get("sub") or ""), tuple(map(str, scopes)))


def _secret(token: str, config: Config) -> str:
    """Return the secret that the token's header names. The issuer may be in the claims only."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise Refused("Signin Error (10): the token is not a JWT") from error
    if header.get("alg") != "HS256":
        raise Refused("Signin Error (16): the algorithm must be HS256")
    if header.get("iss", claims.get("iss")) != config.ca_client:
        raise Refused("Signin Error (126): the connected app is not found or is disabled")
    secrets = {config.ca_secret_id: config.ca_secret_value, **config.more_ca_secrets}
    if header.get("kid") not in secrets:
        raise Refused("Signin Error (127): the connected app has no such secret")
    return secrets[header["kid"]]


def _use(jti: str, used: dict[str, datetime], now: datetime) -> None:
    for old in [name for name, at in used.items() if now - at > MAX_LIFETIME + 2 * CLOCK_SKEW]:
        del used[old]
    if not jti or jti in used:
        raise Refused("Signin Error (16): the token has been used before, or has no jti")
    used[jti] = now
