"""Refuse a version that cannot serve, and migrate the inbox's schema: `python -m deploy.release`."""

from __future__ import annotations

import os
import signal
import sys

from webhooks.config.settings import Settings, load_environment
from webhooks.errors import StoreUnavailable
from webhooks.observability.logs import redact
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services

# Invalid settings, rules, handlers and databases raise these; each message says what to do.
RELEASE_ERRORS = (RuntimeError, OSError, RegistrationError, RulesError, StoreUnavailable)


def release(settings: Settings) -> str:
    """Check settings, handlers and rules, open the inbox, which migrates it, and return a summary.

    Raise one of RELEASE_ERRORS if the version cannot serve.
    """
    settings.require_tableau()
    settings.require_durable()
    dialect = settings.database_url.get_secret_value().partition(":")[0].partition("+")[0]
    services = Services(settings)
    rules = services.rules
    services.inbox.counts()
    services.stop()
    return f"Ready to serve: {len(rules.rules)} rules, the inbox ({dialect}) is up to date."


def main() -> None:
    """Exit with 0, or with 1 and the reason.

    https://devcenter.heroku.com/articles/release-phase
    """
    settings = None
    try:
        load_environment()
        settings = Settings.read()
        print(release(settings), flush=True)
    except RELEASE_ERRORS as error:
        sys.exit(f"Not released. {redact(str(error), settings.secrets() if settings else ())}")
    if "HONCHO_PROCESS_NAME" in os.environ:
        # `honcho start` runs every line of the Procfile and stops all of them when one exits.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pause()


if __name__ == "__main__":
    main()
