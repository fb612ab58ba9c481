"""The manifest from which Slack creates an app, with the scopes and addresses that this server needs. Pure.

https://docs.slack.dev/reference/app-manifest
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from notifiers.notifier import Permission

NAME = "Tableau Webhooks"


def manifest(permissions: Iterable[Permission], interactions_url: str, *, socket_mode: bool = False) -> dict[str, Any]:
    """Return the manifest; without an address for the presses of buttons and without Socket Mode, there are none."""
    settings: dict[str, Any] = {
        "org_deploy_enabled": False,
        "socket_mode_enabled": socket_mode,
        "token_rotation_enabled": False,
    }
    if socket_mode:
        settings["interactivity"] = {"is_enabled": True}
    elif interactions_url:
        settings["interactivity"] = {"is_enabled": True, "request_url": interactions_url}
    return {
        "display_information": {"name": NAME, "description": "Notifies of failing refreshes and changes in Tableau"},
        "features": {"bot_user": {"display_name": NAME, "always_online": True}},
        "oauth_config": {"scopes": {"bot": [one.name for one in permissions]}},
        "settings": settings,
    }
