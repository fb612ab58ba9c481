"""Keeping the credential alive: use it before it lapses, and warn before it expires."""

from __future__ import annotations

from datetime import datetime, timedelta

from tableau_rest import errors, models
from tableau_rest.connection import Connection
from tableau_rest.credentials import Credential, PersonalAccessToken
from tableau_rest.endpoints.endpoint import endpoint

WARN_BEFORE = timedelta(days=30)
# Tableau offers 180 days when a token is created, and a year at most; its REST API returns neither.
# https://help.tableau.com/current/server/en-us/security_personal_access_tokens.htm
WARN_AFTER = timedelta(days=150)


class KeepAlive(Connection):
    """The credential.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_authentication.htm
    """

    @endpoint("GET /sessions/current", since="3.1", scope="none", codes="401 leads to a new sign-in")
    def keep_alive(self) -> models.CredentialStatus:
        """Verify that the credential works, and use it; call this once a day.

        A personal access token lapses after 15 days without a sign-in. This uses the shared session if it is valid,
        which was signed in within two hours, and signs in otherwise. The `warning` of the result is for people: the
        token expires soon by the date given as `expires`, or, without a date, it is so old that it may expire soon.
        Raises SignInFailed if the credential no longer works.
        """
        try:
            self._send("GET", "/api/{version}/sessions/current")
        except (errors.Forbidden, errors.Unauthorized):
            if self.credential.kind != "jwt":  # whether a connected app may query this is not documented
                raise
        session = self.session()
        warning = expiry_warning(self.credential, session.first_used_at, self._clock())
        return models.CredentialStatus(session.user_luid, session.signed_in_at, session.first_used_at, warning)


def expiry_warning(credential: Credential, first_used_at: datetime, now: datetime) -> str:
    """Return a warning that a credential expires or may expire soon, or an empty string."""
    if not isinstance(credential, PersonalAccessToken):
        return ""
    name = f"The personal access token {credential.name!r}"
    renew = "Create a new one under My Account Settings in Tableau, and configure its secret."
    if credential.expires:
        days = (credential.expires - now.date()).days
        if days > WARN_BEFORE.days:
            return ""
        expires = f"expires in {days} days" if days > 0 else "has expired" if days < 0 else "expires today"
        return f"{name} {expires}, on {credential.expires}. {renew}"
    age = now - first_used_at
    if age < WARN_AFTER:
        return ""
    unknown = "Tableau's API does not return its expiry date: often 180 days, at most a year after it was created."
    return f"{name} has been in use for {age.days} days. {unknown} See My Account Settings. {renew}"
