"""The refresh_incident action: refresh the content of an incident for a person who asked for it on a page."""

from __future__ import annotations

from tableau_rest.errors import TableauError
from webhooks.context import Context
from webhooks.context.refreshes import RefreshRefused, start_refresh
from webhooks.errors import Permanent
from webhooks.incidents import Act
from webhooks.messages.incident_buttons import REFRESHABLE
from webhooks.observability.logs import add_log_ids
from webhooks.registry import Params, action

# The author of the note that says why there is no refresh.
SERVER = "server"


class RefreshIncidentParams(Params):
    """The incident, and who asked for the refresh, where."""

    incident: int
    by: str
    origin: str


@action("refresh_incident", params=RefreshIncidentParams, in_rules=False)
def refresh_incident(context: Context, params: RefreshIncidentParams) -> None:
    """Start the refresh and record it as an act, so that the message says who cured it; else note why there is none."""
    add_log_ids(incident=params.incident)
    incident = context.inbox.incidents.get(params.incident).incident
    job_luid, problem = None, ""
    if not incident.is_open:
        problem = "the incident has closed meanwhile"
    elif incident.resource_kind not in REFRESHABLE:
        problem = "this content cannot be refreshed"
    else:
        try:
            kind, luid = incident.resource_kind, incident.resource_luid
            job_luid = start_refresh(context, kind, luid, site_luid=incident.site_luid)
        except RefreshRefused as refused:
            problem = str(refused)
        except (TableauError, Permanent) as error:
            # Without a credential, for example, the person has to know it, and not those who read dead letters.
            if not error.permanent and not context.last_attempt:
                raise
            problem = str(error)
    if problem:
        text = context.redact(f"The refresh that {params.by} asked for was not started: {problem}")
        act, origin = Act("", "note", incident.id, context.now(), SERVER, text=text), SERVER
    else:
        # Others may have acted until Tableau responded.
        asked_at = context.job.created_at or context.now()
        act, origin = Act("", "refresh", incident.id, asked_at, params.by, job_luid=job_luid), params.origin
    # The request has a row of the audit log.
    was_logged = act.kind == "refresh"
    context.once(
        "act",
        lambda: context.inbox.incidents.act(params.incident, act, origin=origin, is_in_audit_log=was_logged).id,
    )
