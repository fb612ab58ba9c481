"""The fixtures of the simulated site, under the names that the tests here still use."""

from __future__ import annotations

from tests.support.simulated_site import (
    DESIRED,
    TOKEN,
    MakeFlask,
    RunFlask,
    flask,
    inbox,
    inject_fault,
    make_flask,
    registered_webhooks,
    rules_file,
    server,
    services,
    settings,
    site,
    slack_messages,
)

NEEDED = DESIRED
Run = RunFlask
fault = inject_fault
hooks = registered_webhooks
make = make_flask
slack = slack_messages

__all__ = [
    "NEEDED",
    "TOKEN",
    "MakeFlask",
    "Run",
    "fault",
    "flask",
    "hooks",
    "inbox",
    "make",
    "make_flask",
    "rules_file",
    "server",
    "services",
    "settings",
    "site",
    "slack",
]
