"""The table of the pages: the path, the function that responds, and the role that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webhooks.visitors import Role


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method. `function` is in the module of that name in `webhooks.dashboard.pages`."""

    method: Literal["GET", "POST"]
    path: str
    module: str
    function: str
    role: Role

    @property
    def endpoint(self) -> str:
        """The name of the route within its blueprint."""
        return f"{self.module}_{self.function}"


ROUTES = (
    Route("GET", "/", "now", "show", "viewer"),
    Route("GET", "/login", "login", "show", "public"),
    Route("POST", "/login", "login", "sign_in", "public"),
    # By OpenID Connect: to the provider, and back.
    Route("GET", "/login/start", "single_sign_on", "start", "public"),
    Route("GET", "/login/finish", "single_sign_on", "finish", "public"),
    Route("POST", "/logout", "login", "sign_out", "viewer"),
    Route("POST", "/logout/all", "login", "sign_out_all", "admin"),
    Route("GET", "/assets/<name>", "assets", "show", "public"),
    Route("GET", "/incidents", "incidents", "show", "viewer"),
    Route("POST", "/incidents/acts", "incidents", "act_on_many", "operator"),
    Route("POST", "/silences", "incidents", "add_silence", "operator"),
    Route("POST", "/silences/<int:number>/end", "incidents", "end_silence", "operator"),
    Route("GET", "/incidents/<int:number>", "incident", "show", "viewer"),
    Route("GET", "/resources", "resources", "show", "viewer"),
    Route("GET", "/resources/<luid>", "resources", "show_one", "viewer"),
    Route("GET", "/events", "events", "show", "viewer"),
    Route("GET", "/events/<int:number>", "events", "show_one", "viewer"),
    Route("GET", "/events/replay", "events", "preview", "operator"),
    Route("POST", "/events/replay", "events", "replay", "operator"),
    Route("GET", "/dead-letters", "dead_letters", "show", "viewer"),
    Route("POST", "/dead-letters/replay", "dead_letters", "replay", "operator"),
    Route("POST", "/dead-letters/dismiss", "dead_letters", "dismiss", "operator"),
    Route("GET", "/rules", "rules", "show", "viewer"),
    Route("POST", "/rules/try", "rules", "try_event", "viewer"),
    Route("GET", "/webhooks", "webhooks", "show", "viewer"),
    Route("POST", "/webhooks/sync", "webhooks", "sync", "admin"),
    Route("GET", "/audit", "audit", "show", "viewer"),
    Route("GET", "/tokens", "tokens", "show", "admin"),
    Route("POST", "/tokens", "tokens", "create", "admin"),
    Route("POST", "/tokens/<int:number>/revoke", "tokens", "revoke", "admin"),
    Route("GET", "/badge/<signed>.svg", "badge", "show", "public"),
    # Signed links in messages.
    Route("GET", "/act/<signed>", "act_link", "show", "public"),
    Route("POST", "/act/<signed>", "act_link", "act", "public"),
    Route("POST", "/incidents/<int:number>/<kind>", "incident_acts", "act", "operator"),
)
