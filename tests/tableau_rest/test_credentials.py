"""The sign-in request of each credential, and those that are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from tableau_rest import SCOPES, ConnectedApp, Credential, Password, PersonalAccessToken, Tableau

NOW = datetime.now(UTC)
KEY = "k" * 44
APP = ConnectedApp("client", "secret-id", KEY, "ann@example.org", spare=("other-id", "o" * 44))


def claims(token: str, key: str = KEY) -> dict[str, object]:
    # Made for NOW, and the tests may run longer than it is valid, which another test checks.
    return jwt.decode(token, key, algorithms=["HS256"], audience="tableau", options={"verify_exp": False})


def test_a_jwt_has_the_claims_that_tableau_requires() -> None:
    """HS256, kid and iss in the header, user, audience and scopes; it tolerates clocks that are slow or fast."""
    first, second = (proof["jwt"] for proof in APP.sign_ins(NOW))
    assert jwt.get_unverified_header(first) == {"alg": "HS256", "typ": "JWT", "kid": "secret-id", "iss": "client"}
    found = claims(first)
    assert (found["iss"], found["sub"], found["aud"], found["scp"]) == (
        "client",
        "ann@example.org",
        "tableau",
        list(SCOPES),
    )
    ends = datetime.fromtimestamp(float(str(found["exp"])), UTC)
    assert timedelta(minutes=3) < ends - NOW < timedelta(minutes=8)
    assert jwt.get_unverified_header(second)["kid"] == "other-id"
    assert claims(second, "o" * 44)["sub"] == "ann@example.org"


def test_a_jwt_is_used_once() -> None:
    """Every sign-in has another jti."""
    ids = {claims(next(APP.sign_ins(NOW))["jwt"])["jti"] for _ in range(50)}
    assert len(ids) == 50


def test_impersonation_is_part_of_the_sign_in() -> None:
    """Administrators of a Server may act as another user."""
    (proof,) = PersonalAccessToken("bot", "x", user_luid="u").sign_ins(NOW)
    assert proof["user"] == {"id": "u"}
    (proof,) = Password("ann", "x", user_luid="u").sign_ins(NOW)
    assert proof == {"name": "ann", "password": "x", "user": {"id": "u"}}


@pytest.mark.parametrize(
    "credential",
    [
        PersonalAccessToken("", "x"),
        PersonalAccessToken("bot", " "),
        Password("ann", ""),
        ConnectedApp("", "i", KEY, "ann"),
        ConnectedApp("c", "i", KEY, ""),
        ConnectedApp("c", "i", KEY, "ann", scopes=()),
    ],
)
def test_an_empty_part_of_a_credential_is_refused(credential: Credential) -> None:
    """The error names it, and nothing is sent."""
    with pytest.raises(ValueError, match="empty: "):
        Tableau("https://tableau.example.org", "mk", credential)


def test_identities_differ_and_contain_no_secret() -> None:
    """They separate the sessions of different credentials."""
    credentials: list[Credential] = [
        PersonalAccessToken("a", KEY),
        PersonalAccessToken("b", KEY),
        PersonalAccessToken("a", KEY, user_luid="u"),
        Password("a", KEY),
        ConnectedApp("a", "i", KEY, "ann"),
        ConnectedApp("a", "i", KEY, "bob"),
        ConnectedApp("a", "i", KEY, "ann", scopes=("tableau:content:read",)),
    ]
    identities = [credential.identity for credential in credentials]
    assert len(set(identities)) == len(identities)
    assert not any(KEY in identity for identity in identities)


@pytest.mark.parametrize(
    ("credential", "version"), [(PersonalAccessToken("a", "b"), "3.5"), (ConnectedApp("a", "i", KEY, "ann"), "3.16")]
)
def test_a_version_too_old_for_the_credential_is_refused(credential: Credential, version: str) -> None:
    """PATs came with 3.6, JWTs with 3.17."""
    with pytest.raises(ValueError, match="needs REST API"):
        Tableau("https://tableau.example.org", "mk", credential, api_version=version)
