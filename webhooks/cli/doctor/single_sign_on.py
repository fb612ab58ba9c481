"""The check of `flask doctor` on the sign-in by OpenID Connect."""

from __future__ import annotations

from collections.abc import Iterator

from webhooks.access.sign_in_attempt import SignInFailed
from webhooks.cli.doctor.results import CheckResult, failed, ok, warning
from webhooks.rules import RulesError
from webhooks.services import Services

NAME = "single sign-on"


def check_single_sign_on(services: Services) -> Iterator[CheckResult]:
    """Check the settings, the provider, and that the rules give someone a role; nothing if it is not used."""
    if not services.settings.oidc_issuer:
        return
    from webhooks.access import openid  # noqa: PLC0415 - its client is slow to import

    if lack := openid.problem(services.settings):
        yield failed(NAME, lack, "See docs/howto/single-sign-on.md.")
        return
    try:
        yield ok(NAME, openid.Provider(services.settings).check())
    except SignInFailed as error:
        yield failed(NAME, str(error), "Is OIDC_ISSUER correct? Is a proxy or firewall in between?")
    try:
        if not services.rules.access.roles:
            advice = "Add [[access.roles]] to the rules; see docs/howto/single-sign-on.md."
            yield warning(NAME, "no one has a role, so no one can sign in by it", advice)
    except RulesError:
        # The check of the rules names its errors.
        return
