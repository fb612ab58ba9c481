"""Keeping the credential usable: use it before it lapses, warn before it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from tableau_rest import errors, models
from tableau_rest.connection import Connection
from tableau_rest.credentials import Credential, PersonalAccessToken
from tableau_rest.endpoints.endpoint import endpoint

WARN_BEFORE = timedelta(days=30)
# Tableau offers 180 days when a token is made, and a year at most; its REST API tells neither.
# https://help.tableau.com/current/server/en-us/security_personal_access_tokens.htm
WARN_AFTER = timedelta(days=150)


class KeepAlive(Connection):
    """The sign-in itself."""

    @endpoint("GET /sessions/current", since="3.1", scope="none", codes="401 is answered by a new sign-in")
    def keep_alive(self) -> models.CredentialStatus:
        """Makes sure that the credential works and was used: call it once a day.

        A personal access token lapses after 15 days without a sign-in. This uses the shared session if it lives, which
        was signed in within two hours, and signs in otherwise. The `warning` of the result is for people: an end that
        is near by the date you gave as `expires`, or, where none was given, a token that has been in use for so long
        that it may end soon. Raises SignInFailed when it is too late.
        """
        try:
            self._answer("GET", "/api/{version}/sessions/current")
        except (errors.Forbidden, errors.Unauthorized):
            if self.credential.kind != "jwt":  # whether a connected app may ask this is not documented
                raise
        session = self.session()
        warning = warning_of(self.credential, session.first_used_at, self._clock())
        return models.CredentialStatus(session.user_luid, session.signed_in_at, session.first_used_at, warning)


def warning_of(credential: Credential, first_used_at: datetime, now: datetime) -> str:
    """What people should know of a credential's age; empty when there is nothing to say."""
    if not isinstance(credential, PersonalAccessToken):
        return ""
    name = f"The personal access token {credential.name!r}"
    renew = "Make a new one under My Account Settings in Tableau and put its secret in place."
    if credential.expires:
        days = (credential.expires - now.date()).days
        if days > WARN_BEFORE.days:
            return ""
        ends = f"ends in {days} days" if days > 0 else "has ended" if days < 0 else "ends today"
        return f"{name} {ends}, on {credential.expires}. {renew}"
    age = now - first_used_at
    if age < WARN_AFTER:
        return ""
    unknown = "Tableau does not tell when it ends: often after 180 days, after a year at the latest."
    return f"{name} has been in use here for {age.days} days. {unknown} Look under My Account Settings. {renew}"
