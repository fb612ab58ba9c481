"""Credentials: a personal access token, a user name with password, or a connected app that signs a JWT.

Named tuples, not dataclasses, which would take a third of the time to import the client.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol

# Everything this client reads, changes and starts on behalf of an automation. If the app was granted fewer scopes, the
# whole sign-in fails; request only those it was granted.
# https://help.tableau.com/current/online/en-us/connected_apps_scopes.htm
SCOPES = (
    "tableau:content:read",
    "tableau:users:read",
    "tableau:jobs:read",
    "tableau:tasks:run",
    "tableau:views:download",
    "tableau:workbooks:update",
    "tableau:datasources:update",
    "tableau:workbook_tags:update",
    "tableau:datasource_tags:update",
)
# Tableau accepts ten minutes at most; half of that tolerates a slow clock as well as a fast one.
JWT_LIFETIME = timedelta(minutes=5)


class Credential(Protocol):
    """A way to sign in."""

    @property
    def kind(self) -> str:
        """`pat`, `password` or `jwt`."""
        ...

    @property
    def since(self) -> str:
        """The oldest REST API version that accepts it."""
        ...

    @property
    def identity(self) -> str:
        """A text that differs for every credential and contains no secret."""
        ...

    @property
    def secret(self) -> str:
        """The secret from which encryption keys are derived."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret, to be masked in all texts."""
        ...

    def check(self) -> None:
        """Raise ValueError if a part is empty."""
        ...

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:
        """Yield the `credentials` of a sign-in request, without the site; if one is refused, the next is tried."""
        ...


def _require(**values: str) -> None:
    empty = [name for name, value in values.items() if not value or not value.strip()]
    if empty:
        raise ValueError(f"empty: {', '.join(empty)}")


class PersonalAccessToken(NamedTuple):
    """A personal access token (PAT), the usual credential. One PAT is one live session: share it, do not use it twice.

    `expires` is the date shown under My Account Settings in Tableau. The REST API does not return it, so only with this
    date a warning can come in time. `user_luid` impersonates a user (Server only, administrators only).
    """

    name: str
    secret: str
    expires: date | None = None
    user_luid: str = ""

    @property
    def kind(self) -> str:
        return "pat"

    @property
    def since(self) -> str:
        return "3.6"

    def __repr__(self) -> str:
        return f"PersonalAccessToken({self.name!r})"

    def check(self) -> None:
        _require(name=self.name, secret=self.secret)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.secret,)

    @property
    def identity(self) -> str:
        return f"pat:{self.name}:{self.user_luid}"

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - a JWT needs the time
        user = {"user": {"id": self.user_luid}} if self.user_luid else {}
        yield {"personalAccessTokenName": self.name, "personalAccessTokenSecret": self.secret, **user}


class Password(NamedTuple):
    """A user name and password. Does not work for users who sign in with MFA, which Tableau Cloud requires."""

    username: str
    password: str
    user_luid: str = ""

    @property
    def kind(self) -> str:
        return "password"

    @property
    def since(self) -> str:
        return "2.0"

    def __repr__(self) -> str:
        return f"Password({self.username!r})"

    def check(self) -> None:
        _require(username=self.username, password=self.password)

    @property
    def identity(self) -> str:
        return f"password:{self.username}:{self.user_luid}"

    @property
    def secret(self) -> str:
        return self.password

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.password,)

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - a JWT needs the time
        user = {"user": {"id": self.user_luid}} if self.user_luid else {}
        yield {"name": self.username, "password": self.password, **user}


class ConnectedApp(NamedTuple):
    """A connected app with direct trust; signs a JWT with one of its secrets for every sign-in.

    `username` is the user to act as (case-sensitive; the e-mail address on Cloud). All `scopes` must be granted to the
    app. `spare` is the app's other secret as (id, value), tried if the first is refused, so that secrets can be rotated
    without an interruption.
    """

    client_id: str
    secret_id: str
    secret_value: str
    username: str
    scopes: tuple[str, ...] = SCOPES
    spare: tuple[str, str] | None = None

    @property
    def kind(self) -> str:
        return "jwt"

    @property
    def since(self) -> str:
        return "3.17"

    def __repr__(self) -> str:
        return f"ConnectedApp({self.client_id!r}, {self.secret_id!r}, for {self.username!r})"

    def check(self) -> None:
        _require(client_id=self.client_id, secret_id=self.secret_id, secret_value=self.secret_value)
        _require(username=self.username, scopes="".join(self.scopes))

    @property
    def identity(self) -> str:
        return f"jwt:{self.client_id}:{self.username}:{' '.join(sorted(self.scopes))}"

    @property
    def secret(self) -> str:
        return self.secret_value

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.secret_value, self.spare[1]) if self.spare else (self.secret_value,)

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:
        for secret_id, value in filter(None, ((self.secret_id, self.secret_value), self.spare)):
            yield {"jwt": self._signed(secret_id, value, now)}

    def _signed(self, secret_id: str, value: str, now: datetime) -> str:
        import jwt  # noqa: PLC0415 - only connected apps need PyJWT

        # Neither iat nor nbf: both are optional, and with a fast clock they would be in Tableau's future.
        # https://help.tableau.com/current/online/en-us/connected_apps_direct.htm
        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": "tableau",
            "exp": now + JWT_LIFETIME,
            "jti": os.urandom(16).hex(),
            "scp": list(self.scopes),
        }
        return jwt.encode(claims, value, algorithm="HS256", headers={"kid": secret_id, "iss": self.client_id})
