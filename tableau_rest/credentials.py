"""The three ways to prove who we are: a personal access token, a password, a connected app's JWT.

Named tuples, not dataclasses: those would make up a third of the time it takes to import the client.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol

# What an automation reads, changes and starts. An app that was granted less fails the whole sign-in: name fewer then.
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
# Tableau allows ten minutes; half of it leaves as much room for a clock that is slow as for one that is fast.
JWT_LIFETIME = timedelta(minutes=5)


class Credential(Protocol):
    """What signing in needs to know of a credential."""

    @property
    def kind(self) -> str: ...

    @property
    def since(self) -> str:
        """The oldest REST API that knows this way to sign in."""
        ...

    @property
    def identity(self) -> str:
        """Tells credentials apart; holds no secret."""
        ...

    @property
    def secret(self) -> str:
        """What encryption keys are derived from, and what is masked in every text."""
        ...

    def check(self) -> None:
        """Raises ValueError where a part is empty."""
        ...

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:
        """The `credentials` of a sign-in request, without the site; a second one to try where the first is refused."""
        ...


def _filled(**values: str) -> None:
    empty = [name for name, value in values.items() if not value or not value.strip()]
    if empty:
        raise ValueError(f"empty: {', '.join(empty)}")


class PersonalAccessToken(NamedTuple):
    """A personal access token (PAT), the usual way. One PAT is one live session: share it, do not use it twice.

    `expires` is the date shown under My Account Settings in Tableau; REST does not tell it, so a warning in time needs
    it from you. `user_luid` impersonates (Server only, administrators only).
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
        _filled(name=self.name, secret=self.secret)

    @property
    def identity(self) -> str:
        return f"pat:{self.name}:{self.user_luid}"

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:  # noqa: ARG002  the others need the time
        user = {"user": {"id": self.user_luid}} if self.user_luid else {}
        yield {"personalAccessTokenName": self.name, "personalAccessTokenSecret": self.secret, **user}


class Password(NamedTuple):
    """User name and password. Not possible where users sign in with MFA, which Tableau Cloud demands."""

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
        _filled(username=self.username, password=self.password)

    @property
    def identity(self) -> str:
        return f"password:{self.username}:{self.user_luid}"

    @property
    def secret(self) -> str:
        return self.password

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        user = {"user": {"id": self.user_luid}} if self.user_luid else {}
        yield {"name": self.username, "password": self.password, **user}


class ConnectedApp(NamedTuple):
    """A connected app with direct trust: signs a JWT with one of its secrets for every sign-in.

    `username` is whom we act as (case-sensitive; the e-mail address on Cloud). `scopes` must all be granted to the app.
    `spare` is the app's other secret as (id, value), tried when the first is refused: rotate without a gap.
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
        _filled(client_id=self.client_id, secret_id=self.secret_id, secret_value=self.secret_value)
        _filled(username=self.username, scopes="".join(self.scopes))

    @property
    def identity(self) -> str:
        return f"jwt:{self.client_id}:{self.username}:{' '.join(sorted(self.scopes))}"

    @property
    def secret(self) -> str:
        return self.secret_value

    def sign_ins(self, now: datetime) -> Iterator[dict[str, Any]]:
        for secret_id, value in filter(None, ((self.secret_id, self.secret_value), self.spare)):
            yield {"jwt": self._token(secret_id, value, now)}

    def _token(self, secret_id: str, value: str, now: datetime) -> str:
        import jwt  # noqa: PLC0415  only who uses a connected app needs PyJWT

        # No iat and no nbf: they are optional, and a fast clock would put them into Tableau's future.
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
