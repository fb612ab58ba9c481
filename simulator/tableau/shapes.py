"""How each resource is described to callers, once for JSON and XML. Numbers are text where Tableau's JSON has text."""

from datetime import datetime

from ..site import (
    Content,
    DataAlert,
    Datasource,
    Flow,
    FlowRun,
    Group,
    Job,
    Label,
    LinkedTask,
    Project,
    Site,
    Subscription,
    Task,
    User,
    View,
    Webhook,
    Workbook,
)
from .wire import Answer, stamp


def _reference(things: dict[str, User] | dict[str, Project], luid: str) -> Answer:
    thing = things.get(luid)
    return {"id": luid, "name": thing.name if thing else ""}


def _owner(site: Site, luid: str) -> Answer:
    return _reference(site.users, luid)


def tags(item: Content) -> Answer:
    """The tags of some content."""
    return {"tag": [{"label": label} for label in item.tags]}


def _content(site: Site, item: Content) -> Answer:
    return {
        "id": item.luid,
        "name": item.name,
        "description": item.description or None,
        "contentUrl": item.content_url,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.updated_at),
        "project": _reference(site.projects, item.project),
        "owner": _owner(site, item.owner),
        "tags": tags(item),
    }


def address(base_url: str, site: Site, path: str) -> str:
    """Where a browser shows something; the default site has no name in it."""
    return f"{base_url}/#/site/{site.content_url}/{path}" if site.content_url else f"{base_url}/#/{path}"


def workbook(site: Site, item: Workbook, base_url: str, *, views: bool = False) -> Answer:
    """A workbook; a single one comes with its views, a listed one without."""
    described = _content(site, item) | {
        "webpageUrl": address(base_url, site, f"workbooks/{item.number}"),
        "showTabs": str(item.show_tabs).lower(),
        "size": str(item.size),
        "sheetCount": str(len(item.views)),
        "hasExtracts": item.has_extracts,
        "encryptExtracts": "false",
        "defaultViewId": item.views[0] if item.views else None,
        "location": {"id": item.project, "type": "Project", "name": _reference(site.projects, item.project)["name"]},
    }
    if views:
        described["views"] = {"view": [_sheet(site.views[luid]) for luid in item.views]}
    return described


def _sheet(item: View) -> Answer:
    times: Answer = {"createdAt": stamp(item.created_at), "updatedAt": stamp(item.updated_at)}
    short = item.content_url.rpartition("/")[2]
    described: Answer = {"id": item.luid, "name": item.name, "contentUrl": item.content_url, "viewUrlName": short}
    return described | times | {"tags": tags(item)}


def view(site: Site, item: View, base_url: str, *, usage: bool = False) -> Answer:
    """A view, with how often it was looked at if asked for."""
    del base_url  # views have no webpageUrl
    described = _content(site, item) | {
        "viewUrlName": item.content_url.rpartition("/")[2],
        "sheetType": "dashboard",
        "workbook": {"id": item.workbook},
    }
    if usage:
        described["usage"] = {"totalViewCount": str(item.hits)}
    return described


def datasource(site: Site, item: Datasource, base_url: str) -> Answer:
    """A published data source."""
    readers = sum(item.luid in workbook.datasources for workbook in site.workbooks.values())
    return _content(site, item) | {
        "type": item.type,
        "webpageUrl": address(base_url, site, f"datasources/{item.number}"),
        "isCertified": item.is_certified,
        "certificationNote": item.certification_note or None,
        "hasExtracts": item.has_extracts,
        "encryptExtracts": "false",
        "useRemoteQueryAgent": False,
        "serverName": item.server,
        "connectedWorkbooksCount": str(readers),
        "isPublished": "true",
        "askData": {"enablement": "SiteDefault"},
    }


def flow(site: Site, item: Flow, base_url: str) -> Answer:
    """A flow."""
    return _content(site, item) | {"webpageUrl": address(base_url, site, f"flows/{item.number}"), "fileType": "tflx"}


def connection(item: Datasource, luid: str) -> Answer:
    """How some content is connected to a data source."""
    return {
        "id": luid,
        "type": item.type,
        "serverAddress": item.server,
        "serverPort": "",
        "userName": "svc_tableau",
        "embedPassword": True,
        "authenticationType": "UsernamePassword",
        "datasource": {"id": item.luid, "name": item.name},
    }


def user(item: User) -> Answer:
    """A user. On Cloud the name is the e-mail address."""
    return {
        "id": item.luid,
        "name": item.name,
        "fullName": item.full_name,
        "email": item.email,
        "siteRole": item.site_role,
        "lastLogin": stamp(item.last_login),
        "externalAuthUserId": "",
        "authSetting": "ServerDefault",
        "locale": "en_GB",
        "language": "en",
    }


def group(item: Group) -> Answer:
    """A group of users."""
    return {"id": item.luid, "name": item.name, "userCount": str(len(item.users)), "domain": {"name": "local"}}


def project(site: Site, item: Project) -> Answer:
    """A project, with what it holds."""
    inside = {
        "projectCount": str(sum(other.parent == item.luid for other in site.projects.values())),
        "workbookCount": str(sum(other.project == item.luid for other in site.workbooks.values())),
        "viewCount": str(sum(other.project == item.luid for other in site.views.values())),
        "dataSourceCount": str(sum(other.project == item.luid for other in site.datasources.values())),
    }
    return {
        "id": item.luid,
        "name": item.name,
        "description": item.description,
        "parentProjectId": item.parent,
        "topLevelProject": item.parent is None,
        "writeable": True,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.created_at),
        "contentPermissions": "ManagedByOwner",
        "owner": {"id": item.owner},
        "contentsCounts": inside,
    }


def site(item: Site) -> Answer:
    """A site."""
    return {
        "id": item.luid,
        "name": item.name,
        "contentUrl": item.content_url,
        "state": item.state,
        "adminMode": "ContentAndUsers",
    }


def listed_job(item: Job, now: datetime) -> Answer:
    """A job as the list has it: neither notes nor content, and words of its own."""
    done = item.finished(now)
    return {
        "id": item.luid,
        "status": item.status(now),
        "jobType": item.job_type,
        "priority": str(item.priority),
        "createdAt": stamp(item.created_at),
        "startedAt": stamp(item.started_at),
        "endedAt": stamp(item.completed_at) if done else None,
        "title": item.title,
        "subtitle": item.subtitle,
    }


def job(item: Job, now: datetime) -> Answer:
    """A job asked for by its LUID; how it ended, and the content it was for."""
    done = item.finished(now)
    content: Answer = {item.content_kind: {"id": item.content, "name": item.title}}
    if item.flow_run:
        content["flowRunId"] = item.flow_run
    if done and item.notes:
        content["notes"] = item.notes
    return {
        "id": item.luid,
        "mode": "Asynchronous",
        "type": item.type,
        "progress": "100" if done else "0",
        "createdAt": stamp(item.created_at),
        "startedAt": stamp(item.started_at),
        "completedAt": stamp(item.completed_at) if done else None,
        "finishCode": str(item.finish_code) if done else None,
        "runFlowJobType" if item.content_kind == "flow" else "extractRefreshJob": content,
    }


def task(item: Task) -> Answer:
    """A refresh or a flow on its schedule."""
    schedule = {
        "frequency": item.frequency,
        "nextRunAt": stamp(item.next_run_at),
        "frequencyDetails": _details(item.frequency, item.next_run_at),
    }
    inner = {
        "id": item.luid,
        "priority": str(item.priority),
        "consecutiveFailedCount": str(item.consecutive_failed_count),
        "type": item.type,
        "schedule": schedule,
        item.content_kind: {"id": item.content},
    }
    return {item.kind: inner}


def _details(frequency: str, due: datetime) -> Answer:
    """When in the day, week or month; hourly needs an end with the minutes of its start."""
    begins = due.strftime("%H:%M:%S")
    every: dict[str, list[Answer]] = {
        "Hourly": [{"hours": "1"}, {"weekDay": "Monday"}, {"weekDay": "Friday"}],
        "Daily": [{"hours": "24"}, {"weekDay": "Monday"}],
        "Weekly": [{"weekDay": "Monday"}],
        "Monthly": [{"monthDay": "1"}],
    }
    ends = {"end": due.strftime("23:%M:00")} if frequency == "Hourly" else {}
    return {"start": begins} | ends | {"intervals": {"interval": every[frequency]}}


def linked_task(site: Site, item: LinkedTask) -> Answer:
    """Flows in a row; the list and its entries bear the same name."""
    steps = [_step(site, number, step) for number, step in enumerate(item.steps, 1)]
    schedule = {
        "id": item.schedule,
        "name": "Nightly flows",
        "state": "Active",
        "priority": "50",
        "type": "Flow",
        "frequency": "Daily",
    }
    return {
        "id": item.luid,
        "numSteps": str(len(steps)),
        "schedule": schedule,
        "linkedTaskSteps": {"linkedTaskSteps": steps},
    }


def _step(site: Site, number: int, step: tuple[str, str, str]) -> Answer:
    luid, run, content = step
    name = site.flows[content].name if content in site.flows else ""
    inner = {
        "id": run,
        "priority": str(number),
        "consecutiveFailedCount": "0",
        "type": "runFlow",
        "flow": {"id": content, "name": name},
    }
    return {"id": luid, "stepNumber": str(number), "stopDownstreamTasksOnFailure": "true", "task": {"flowRun": inner}}


def flow_run(site: Site, item: FlowRun, now: datetime) -> Answer:
    """One run of a flow."""
    work = site.jobs[item.job]
    done = work.finished(now)
    return {
        "id": item.luid,
        "flowId": item.flow,
        "status": work.status(now),
        "startedAt": stamp(work.started_at),
        "completedAt": stamp(work.completed_at) if done else None,
        "progress": "100" if done else "0",
        "backgroundJobId": work.luid,
    }


def webhook(site: Site, item: Webhook, source: str) -> Answer:
    """A webhook, with its event in the new and in the old way."""
    return {
        "id": item.luid,
        "name": item.name,
        "event": item.event,
        "isEnabled": item.is_enabled,
        "statusChangeReason": item.status_change_reason,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.updated_at),
        "webhook-source": {source: {}},
        "webhook-destination": {"webhook-destination-http": {"method": "POST", "url": item.url}},
        "owner": _owner(site, item.owner),
    }


def warning(site: Site, item: Label) -> Answer:
    """A label as the data quality warnings show it."""
    return {
        "id": item.luid,
        "userDisplayName": site.users[item.user].full_name if item.user in site.users else "",
        "contentId": item.content,
        "contentType": item.content_kind.upper(),
        "message": item.message,
        "type": item.value,
        "isActive": item.active,
        "isSevere": item.elevated,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.updated_at),
        "site": {"id": site.luid},
        "owner": {"id": item.user},
    }


def label(site: Site, item: Label) -> Answer:
    """A label on an asset."""
    return {
        "id": item.luid,
        "contentId": item.content,
        "contentType": item.content_kind,
        "value": item.value,
        "category": item.category,
        "message": item.message,
        "active": item.active,
        "elevated": item.elevated,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.updated_at),
        "userDisplayName": site.users[item.user].full_name if item.user in site.users else "",
        "owner": {"id": item.user},
        "site": {"id": site.luid},
    }


def subscription(site: Site, item: Subscription) -> Answer:
    """A mail with a picture, on a schedule."""
    return {
        "id": item.luid,
        "subject": item.subject,
        "attachImage": item.attach_image,
        "attachPdf": item.attach_pdf,
        "suspended": False,
        "content": {"id": item.content, "type": item.content_kind, "sendIfViewEmpty": True},
        "schedule": {"id": item.schedule, "name": "Monday morning"},
        "user": _owner(site, item.user),
    }


def data_alert(site: Site, item: DataAlert) -> Answer:
    """A mail when a number passes a threshold."""
    sheet = site.views.get(item.view)
    book = site.workbooks.get(sheet.workbook) if sheet else None
    about = {
        "id": item.view,
        "name": sheet.name if sheet else "",
        "workbook": {"id": book.luid if book else "", "name": book.name if book else ""},
        "project": _reference(site.projects, book.project if book else ""),
    }
    return {
        "id": item.luid,
        "subject": item.subject,
        "creatorId": item.owner,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.created_at),
        "frequency": item.frequency,
        "public": item.public,
        "owner": _owner(site, item.owner),
        "view": about,
        "recipients": {"recipient": [_owner(site, luid) for luid in item.recipients]},
    }
