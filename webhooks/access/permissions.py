"""The table of acts: the role that each needs, where it can be done, and its row of the audit log.

`python -m deploy.acts_page` writes it to docs/acts.md. Pages, operations of the API and tools of agents name their act.
"""

from __future__ import annotations

from dataclasses import dataclass

from webhooks.access.visitors import ROLES, Role


@dataclass(frozen=True, slots=True)
class Permission:
    """An act, which `role` permits on pages, by the API and for agents. One on `everything` needs no limits as well.

    `on` is the subject of its row of the audit log: words in capitals are replaced. `audit` has the acts in the audit
    log if they have other names. `commands` are those of `flask`, `buttons` the labels in messages in Slack,
    `messengers` the names of other ways from messages.
    """

    name: str
    role: Role
    does: str
    on: str
    everything: bool = False
    audit: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    messengers: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """The acts of its rows in the audit log; of several, those that were done."""
        return self.audit or (self.name,)


PERMISSIONS = {
    permission.name: permission
    for permission in (
        Permission(
            "acknowledge",
            "operator",
            "take care of an incident",
            "incident NUMBER",
            commands=("incidents ack",),
            buttons=("Acknowledge", "Acknowledge all"),
            messengers=("link", "SMS", "PagerDuty"),
        ),
        Permission(
            "snooze",
            "operator",
            "send no reminders about an incident until a time",
            "incident NUMBER",
            commands=("incidents snooze",),
            buttons=("Snooze 1 h", "Snooze until the next run", "Snooze all 1 h"),
            messengers=("link",),
        ),
        Permission(
            "close",
            "operator",
            "close an incident of content that will not be refreshed again",
            "incident NUMBER",
            commands=("incidents close",),
        ),
        Permission("note", "operator", "add a note to an incident", "incident NUMBER", commands=("incidents note",)),
        Permission(
            "refresh",
            "operator",
            "start the refresh of an incident's content in Tableau",
            "incident NUMBER",
            commands=("refresh",),
            buttons=("Refresh again",),
        ),
        Permission(
            "add silence",
            "operator",
            "send nothing about some content for a while",
            "silence NUMBER",
            commands=("silences add",),
        ),
        Permission("end silence", "operator", "end a silence", "silence NUMBER", commands=("silences end",)),
        Permission(
            "replay",
            "operator",
            "run the actions of events, or dead letters, again",
            "events | dead letters",
            commands=("events replay",),
        ),
        Permission("dismiss", "operator", "cancel dead letters", "dead letters", commands=("events dismiss",)),
        Permission(
            "sync webhooks",
            "admin",
            "bring the webhooks in Tableau up to date",
            "webhook EVENT_TYPE",
            everything=True,
            audit=("create webhook", "update webhook", "enable webhook", "delete webhook"),
            commands=("webhooks sync", "webhooks create", "webhooks enable", "webhooks delete"),
        ),
        Permission(
            "create token",
            "admin",
            "create a token of a program",
            "token NAME",
            everything=True,
            commands=("tokens create",),
        ),
        Permission(
            "revoke token", "admin", "revoke a token", "token NAME", everything=True, commands=("tokens revoke",)
        ),
        Permission(
            "end session",
            "admin",
            "end a session of anyone, or all others",
            "session of NAME | other sessions",
            everything=True,
            commands=("sessions end",),
        ),
        Permission(
            "sign out all",
            "admin",
            "end all sessions",
            "pages",
            everything=True,
            commands=("sessions end --all",),
        ),
        # On the command line only.
        Permission(
            "activate rules",
            "admin",
            "put a rules file in force",
            "version NUMBER",
            everything=True,
            commands=("rules activate",),
        ),
        Permission(
            "import runs",
            "admin",
            "fill the history of incidents from Tableau's job list",
            "runs",
            everything=True,
            commands=("incidents import",),
        ),
        Permission(
            "delete expired",
            "admin",
            "delete old events and runs now",
            "events",
            everything=True,
            commands=("inbox vacuum",),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Way:
    """A place where people and programs act: who may, and the author and the origin of the rows in the audit log."""

    name: str
    who: str
    by: str
    origin: str


WAYS = (
    Way(
        "pages",
        "people with the role; without `ADMIN_PASSWORD`, everyone on the server's own machine",
        "name of the session, or `local`",
        "page ADDRESS",
    ),
    Way("API", "programs whose token has the role", "name of the token, or `admin`", "program ADDRESS"),
    Way("agents", "programs whose token has the role", "name of the token, or `admin`", "program ADDRESS"),
    Way(
        "command line",
        "users of the operating system who may read the settings and the inbox",
        "the user, or the name given with `--by`",
        "command line on HOST",
    ),
    Way(
        "Slack",
        "members of the workspace; Refresh again: `operators` of [`[access]`](rules.md#who-may-act)",
        "name and e-mail address; at the first press, name and id",
        "Slack",
    ),
    Way(
        "link",
        "people who have the message",
        "the address of the message, or the name that the person enters",
        "link DESTINATION",
    ),
    Way("SMS", "numbers that were notified of the incident", "the number", "SMS"),
    Way("PagerDuty", "people who may acknowledge or resolve it there", "NAME (PagerDuty)", "PagerDuty"),
)


def role_of(*acts: str) -> Role:
    """Return the role that is needed for all of these acts."""
    return max((PERMISSIONS[act].role for act in acts), key=ROLES.index)
