"""The table of the pages: the path, the function that responds, and the role that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webhooks.access.permissions import role_of
from webhooks.access.visitors import Role


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method. `function` is in the module of that name in `webhooks.dashboard.pages`."""

    method: Literal["GET", "POST"]
    path: str
    module: str
    function: str
    role: Role
    # The acts of webhooks.access.permissions that it does.
    acts: tuple[str, ...] = ()

    @property
    def endpoint(self) -> str:
        """The name of the route within its blueprint."""
        return f"{self.module}_{self.function}"


def _acts(path: str, module: str, function: str, *acts: str) -> Route:
    return Route("POST", path, module, function, role_of(*acts), acts)


ROUTES = (
    Route("GET", "/", "now", "show", "viewer"),
    Route("GET", "/login", "login", "show", "public"),
    Route("POST", "/login", "login", "sign_in", "public"),
    # By OpenID Connect: to the provider, and back.
    Route("GET", "/login/start", "single_sign_on", "start", "public"),
    Route("GET", "/login/finish", "single_sign_on", "finish", "public"),
    Route("POST", "/logout", "login", "sign_out", "viewer"),
    _acts("/logout/all", "login", "sign_out_all", "sign out all"),
    # Other sessions of the same person.
    Route("POST", "/logout/others", "sessions", "sign_out_others", "viewer"),
    Route("POST", "/logout/<name>", "sessions", "sign_out", "viewer"),
    Route("GET", "/sessions", "sessions", "show", "viewer"),
    _acts("/sessions/end", "sessions", "end_others", "end session"),
    _acts("/sessions/<name>/end", "sessions", "end", "end session"),
    Route("GET", "/assets/<name>", "assets", "show", "public"),
    Route("GET", "/incidents", "incidents", "show", "viewer"),
    _acts("/incidents/acts", "incidents", "act_on_many", "acknowledge", "snooze", "close", "refresh"),
    _acts("/silences", "incidents", "add_silence", "add silence"),
    _acts("/silences/<int:number>/end", "incidents", "end_silence", "end silence"),
    Route("GET", "/incidents/<int:number>", "incident", "show", "viewer"),
    Route("GET", "/resources", "resources", "show", "viewer"),
    Route("GET", "/resources/<luid>", "resources", "show_one", "viewer"),
    Route("GET", "/events", "events", "show", "viewer"),
    Route("GET", "/events/<int:number>", "events", "show_one", "viewer"),
    Route("GET", "/events/replay", "events", "preview", "operator"),
    _acts("/events/replay", "events", "replay", "replay"),
    Route("GET", "/dead-letters", "dead_letters", "show", "viewer"),
    _acts("/dead-letters/replay", "dead_letters", "replay", "replay"),
    _acts("/dead-letters/dismiss", "dead_letters", "dismiss", "dismiss"),
    Route("GET", "/rules", "rules", "show", "viewer"),
    Route("POST", "/rules/try", "rules", "try_event", "viewer"),
    Route("GET", "/webhooks", "webhooks", "show", "viewer"),
    _acts("/webhooks/sync", "webhooks", "sync", "sync webhooks"),
    Route("GET", "/audit", "audit", "show", "viewer"),
    Route("GET", "/tokens", "tokens", "show", "admin"),
    _acts("/tokens", "tokens", "create", "create token"),
    _acts("/tokens/<int:number>/revoke", "tokens", "revoke", "revoke token"),
    Route("GET", "/badge/<signed>.svg", "badge", "show", "public"),
    # Signed links in messages.
    Route("GET", "/act/<signed>", "act_link", "show", "public"),
    Route("POST", "/act/<signed>", "act_link", "act", "public"),
    _acts(
        "/incidents/<int:number>/<kind>", "incident_acts", "act", "acknowledge", "snooze", "close", "note", "refresh"
    ),
)
