"""`python -m deploy.release`: refuses a version that could not serve, and brings the inbox's schema up to date."""

from __future__ import annotations

import os
import signal
import sys

from webhooks.config.settings import Settings
from webhooks.errors import StoreUnavailable
from webhooks.logs import redact
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services

UNFIT = (RuntimeError, OSError, RegistrationError, RulesError, StoreUnavailable)
"""What faulty variables, rules, handlers or databases raise; each says what to do."""


def release(settings: Settings) -> str:
    """Checks variables, handlers and rules and opens the inbox, which upgrades it; gives a line on what was found.

    Raises one of UNFIT.
    """
    settings.require_tableau()
    settings.require_durable()
    dialect = settings.database_url.get_secret_value().partition(":")[0].partition("+")[0]
    services = Services(settings)
    found = services.rules
    services.inbox.counts()
    services.stop()
    return f"Ready to serve: {len(found.rules)} rules, the inbox ({dialect}) is up to date."


def main() -> None:
    """Ends with 0, or with 1 and the reason. https://devcenter.heroku.com/articles/release-phase"""
    settings = None
    try:
        settings = Settings.read()
        print(release(settings), flush=True)
    except UNFIT as error:
        sys.exit(f"Not released. {redact(str(error), settings.secrets() if settings else ())}")
    if "HONCHO_PROCESS_NAME" in os.environ:
        # `honcho start` runs every line of the Procfile, and ends all as soon as one of them ends.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pause()


if __name__ == "__main__":
    main()
