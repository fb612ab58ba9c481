"""The refresh_incident action: refresh the content of an incident for a person who asked for it on a page."""

from __future__ import annotations

from tableau_rest import AlreadyRunning, NotFound
from tableau_rest.errors import TableauError
from webhooks.context import Context, kind_noun
from webhooks.errors import Permanent
from webhooks.incidents import Act
from webhooks.messages.incident_buttons import REFRESHABLE
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
    incident = context.inbox.incidents.get(params.incident).incident

    def start() -> str:
        tableau, luid = context.tableau, incident.resource_luid
        if incident.resource_kind == "flow":
            return tableau.run_flow(luid).luid
        is_workbook = incident.resource_kind == "workbook"
        return (tableau.refresh_workbook(luid) if is_workbook else tableau.refresh_datasource(luid)).luid

    job_luid, problem = None, ""
    if not incident.is_open:
        problem = "the incident has closed meanwhile"
    elif incident.resource_kind not in REFRESHABLE:
        problem = "this content cannot be refreshed"
    else:
        try:
            job_luid = context.once("refresh", start)
        except AlreadyRunning:
            problem = "a refresh is queued or running already"
        except NotFound:
            problem = f"this {kind_noun(incident.resource_kind)} no longer exists"
        except (TableauError, Permanent) as error:
            # Without a credential, for example, the person has to know it, and not those who read dead letters.
            if not error.permanent and not context.last_attempt:
                raise
            problem = str(error)
    if problem:
        text = context.redact(f"The refresh that {params.by} asked for was not started: {problem}")
        act = Act("", "note", incident.id, context.now(), SERVER, text=text)
    else:
        context.log.info("Refresh started: content=%s tableau_job=%s", incident.resource_luid, job_luid)
        act = Act("", "refresh", incident.id, context.now(), params.by, job_luid=job_luid)
    context.once("act", lambda: context.inbox.incidents.act(params.incident, act, origin=params.origin).id)
