"""The table of acts: the role that each needs, and its row of the audit log. Pages, API and agents have the same."""

from __future__ import annotations

from dataclasses import dataclass

from webhooks.access.visitors import ROLES, Role


@dataclass(frozen=True, slots=True)
class Permission:
    """An act. One on `everything` needs a role without limits. `audit` is the act in the audit log."""

    name: str
    role: Role
    does: str
    everything: bool = False
    audit: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """The acts of its rows in the audit log; of several, those that were done."""
        return self.audit or (self.name,)


PERMISSIONS = {
    permission.name: permission
    for permission in (
        Permission("acknowledge", "operator", "take care of an incident"),
        Permission("snooze", "operator", "no reminders about an incident until a time"),
        Permission("close", "operator", "close an incident of content that will not be refreshed again"),
        Permission("note", "operator", "add a note to an incident"),
        Permission("refresh", "operator", "start the refresh of an incident's content in Tableau"),
        Permission("add silence", "operator", "send nothing about some content for a while"),
        Permission("end silence", "operator", "end a silence"),
        Permission("replay", "operator", "run the actions of events, or dead letters, again"),
        Permission("dismiss", "operator", "cancel dead letters of one cause"),
        Permission(
            "sync webhooks",
            "admin",
            "bring the webhooks in Tableau up to date",
            everything=True,
            audit=("create webhook", "update webhook", "enable webhook", "delete webhook"),
        ),
        Permission("create token", "admin", "create a token of a program", everything=True),
        Permission("revoke token", "admin", "revoke a token", everything=True),
        Permission("sign out all", "admin", "end all sessions", everything=True),
    )
}


def role_of(*acts: str) -> Role:
    """Return the role that is needed for all of these acts."""
    return max((PERMISSIONS[act].role for act in acts), key=ROLES.index)
