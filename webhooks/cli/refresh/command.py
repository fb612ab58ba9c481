"""`flask refresh`: start refreshes in Tableau, follow them, and record them with their incidents."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from tableau_rest import AlreadyRunning, NotFound, StillRunning
from tableau_rest.models import Job
from webhooks.cli.support import application, future, tableau_access, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import FAILED, Failure
from webhooks.cli.support.options import as_json
from webhooks.clock import utc_now
from webhooks.config.site import Site
from webhooks.incidents import Act
from webhooks.incidents.wording import NOUNS
from webhooks.messages.failure_reason import failure_reason
from webhooks.views.formats import duration

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from webhooks.inbox import IncidentRecord

EVENT_PREFIX, INCIDENT_PREFIX = "event:", "incident:"
DEFAULT_WAIT = "10m"


@dataclass(frozen=True, slots=True)
class Target:
    """The content to refresh, and its incident if one is open."""

    given: str
    site_luid: str
    kind: str
    luid: str
    name: str
    incident: IncidentRecord | None

    @property
    def title(self) -> str:
        """The content in words: `the workbook Sales`."""
        return f"the {NOUNS[self.kind]} {self.name}"


@click.command(cls=Command)
@click.argument("targets", nargs=-1, required=True, metavar="INCIDENT|event:ID...")
@click.option(
    "--wait", "length", metavar="DURATION", default=DEFAULT_WAIT, show_default=True, help="Follow it for this long."
)
@click.option("--no-wait", is_flag=True, help="Start it and do not follow it.")
@future.by_option
@as_json
@with_appcontext
def refresh(*, targets: tuple[str, ...], length: str, no_wait: bool, by: str | None, as_json: bool) -> None:
    """Refresh the content of incidents or events in Tableau.

    A number is that of an incident; event:41 is the event 41. The refresh is recorded with the open incident of the
    content, so that its message says who cured it. Needs credentials that may refresh the content.

    \b
    flask refresh 14
    flask refresh 14 15 event:41 --wait 30m
    """
    deadline = time.monotonic() + (0 if no_wait else future.parse_length(length, "--wait").total_seconds())
    name = future.author(by)
    started: list[tuple[Target, Site, Job]] = []
    failed = False
    for given in dict.fromkeys(targets):
        try:
            target = find_target(given)
            site, job = start(target, name)
        except Failure as failure:
            failure.show()
            failed = True
            continue
        started.append((target, site, job))
        if not as_json:
            click.echo(terminal.one_line(f"Refresh of {target.title} started: Tableau job {job.luid}"))
    for target, site, job in started:
        ended = job if no_wait else follow(site, job, deadline)
        if as_json:
            terminal.print_json(outcome_object(target, ended))
        elif not no_wait:
            show_outcome(target, ended)
        failed = failed or (not no_wait and ended.status != "Success")
    if failed:
        raise click.exceptions.Exit(FAILED)


def find_target(given: str) -> Target:
    """Return the content of an incident, or of an event. Raise Failure if there is none that can be refreshed."""
    word = given.strip().lower()
    is_event = word.startswith(EVENT_PREFIX)
    number = word.removeprefix(EVENT_PREFIX).removeprefix(INCIDENT_PREFIX)
    if not number.isascii() or not number.isdigit():
        raise Failure(f"{given!r} is neither the number of an incident, such as 14, nor an event, such as event:41.")
    if not is_event:
        record = application.get_incident(int(number))
        one = record.incident
        if one.resource_kind not in NOUNS:
            raise Failure(
                f"Incident {record.id} is about no workbook, data source or flow, so nothing can be refreshed."
            )
        name = one.resource_name or one.resource_luid
        incident = record if one.is_open else None
        return Target(given, one.site_luid, one.resource_kind, one.resource_luid, name, incident)
    event = application.get_event(int(number)).event
    kind, luid, site_luid = event.content_kind, event.resource_luid, event.site_luid
    if kind not in NOUNS or not isinstance(luid, str):
        raise Failure(f"Event {event.id} is about no workbook, data source or flow, so nothing can be refreshed.")
    site = site_luid if isinstance(site_luid, str) else ""
    found = application.inbox().incidents.of_resource(site.lower(), luid.lower(), utc_now())
    incident = found if found and found.incident.is_open else None
    return Target(given, site, str(kind), luid, str(event.resource_name or luid), incident)


def start(target: Target, by: str) -> tuple[Site, Job]:
    """Start the refresh, record it as an act of the open incident, and return the site and the job. Raise Failure."""
    from webhooks.context.refreshes import NOT_STARTED  # noqa: PLC0415 - help needs no handlers

    subject = f"incident {target.incident.id}" if target.incident else f"{target.kind} {target.luid}"
    # The act comes before the run that it starts, however quickly that ends.
    site, started_at = site_of(target), utc_now()
    try:
        with tableau_access.client_for(site) as tableau:
            job = request(tableau, target)
    except Failure as failure:
        application.record("refresh", subject, f"{NOT_STARTED}: {failure.message}", by=by)
        raise
    if target.incident is not None:
        act = Act("", "refresh", target.incident.incident.id, started_at, by, job_luid=job.luid)
        application.inbox().incidents.act(target.incident.id, act, origin=application.origin(by))
    else:
        application.record("refresh", subject, f"{target.name}; Tableau job {job.luid}", by=by)
    return site, job


def request(tableau: Tableau, target: Target) -> Job:
    """Have Tableau start the refresh, and return its job. Raise Failure, and TableauError."""
    from webhooks.context.refreshes import RefreshRefused, take_start  # noqa: PLC0415 - help needs no handlers

    starts: Mapping[str, Callable[[str], Job]] = {
        "flow": tableau.run_flow,
        "workbook": tableau.refresh_workbook,
        "datasource": tableau.refresh_datasource,
    }
    try:
        # Rules and buttons use the same budget.
        take_start(application.inbox(), target.site_luid)
        return starts[target.kind](target.luid)
    except RefreshRefused as refused:
        raise Failure(f"Cannot refresh {target.title}: {refused}.") from None
    except AlreadyRunning:
        raise Failure(f"A refresh of {target.title} is queued or running already.") from None
    except NotFound:
        reason = "no longer exists, or the server's Tableau user cannot see it"
        raise Failure(f"Cannot refresh {target.title}: it {reason}.") from None


def site_of(target: Target) -> Site:
    """Return the site of the content, signing in to those whose LUID is not known yet. Raise Failure."""
    selected, sites = tableau_access.select_sites(None), application.services().sites
    if not sites.several:
        return selected[0]
    for site in selected:
        with tableau_access.client_for(site):
            if sites.luid(site) == target.site_luid.lower():
                return site
    names = ", ".join(site.name for site in selected)
    raise Failure(f"No credential for the site {target.site_luid} of {target.title}. Known sites: {names}.")


def follow(site: Site, job: Job, deadline: float) -> Job:
    """Return the job when it has ended, or as it is at the deadline."""
    with tableau_access.client_for(site) as tableau:
        try:
            return tableau.wait_for_job(job.luid, wait=max(0.0, deadline - time.monotonic()))
        except StillRunning:
            return tableau.job(job.luid)


def show_outcome(target: Target, job: Job) -> None:
    """Print how a refresh ended."""
    seconds = (job.completed_at - job.started_at).total_seconds() if job.completed_at and job.started_at else None
    after = "" if seconds is None else f" after {duration(seconds)}"
    if job.status == "Success":
        text, colour = f"Refreshed {target.title}{after}", "green"
    elif not job.finished:
        text, colour = (
            f"The refresh of {target.title} has not ended yet ({job.status}); it goes on in Tableau",
            "yellow",
        )
    else:
        reason = application.redact(failure_reason(job.notes)) or "Tableau gives no reason"
        text, colour = f"The refresh of {target.title} ended{after}: {job.status}. {reason}", "red"
    click.secho(terminal.one_line(text), fg=colour)


def outcome_object(target: Target, job: Job) -> dict[str, Any]:
    """Return the outcome as JSON."""
    return {
        "target": target.given,
        "incident": target.incident.id if target.incident else None,
        "resource_kind": target.kind,
        "resource_luid": target.luid,
        "resource_name": target.name,
        "job_luid": job.luid,
        "status": job.status,
        "reason": application.redact(failure_reason(job.notes)) if job.finished and job.status != "Success" else None,
    }
