"""The initial contents of the simulator: a company with users, projects, workbooks, data sources and schedules."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from simulator.config import Config
from simulator.world.jobs import Job, LinkedTask, Schedule, Task
from simulator.world.site import DataAlert, Datasource, Flow, Group, Project, Site, Subscription, User, View, Workbook

PEOPLE = (
    ("Ann Okafor", "ann", "SiteAdministratorCreator"),
    ("Ben Duarte", "ben", "Creator"),
    ("Chloé Martin", "chloe", "Creator"),
    ("Dev Raman", "dev", "ExplorerCanPublish"),
    ("Ewa Kowalska", "ewa", "SiteAdministratorExplorer"),
    ("Finn O'Brien", "finn", "Viewer"),
)
GROUPS = {"All Users": range(6), "Finance Analysts": (1, 2), "BI Stewards": (0, 4)}

PROJECTS = (
    ("Default", "The default project", 0, None),
    ("Finance", "Closing, receivables and planning", 1, None),
    ("Reports", "Reports for the board", 1, "Finance"),
    ("Marketing", "Campaigns and web", 2, None),
    ("Operations", "Stores, stock and delivery", 3, None),
)

# name, project, owner, connection type, certified, tables
DATASOURCES = (
    ("Orders", "Operations", 3, "sqlserver", True, ("warehouse.dbo.orders", "warehouse.dbo.order_lines")),
    ("General Ledger", "Finance", 1, "oracle", True, ("FIN.GL_ENTRIES", "FIN.ACCOUNTS")),
    ("Receivables", "Finance", 1, "oracle", False, ("FIN.INVOICES",)),
    ("Web Sessions", "Marketing", 2, "bigquery", False, ("web.sessions", "web.events")),
    ("Campaign Spend", "Marketing", 2, "google-sheets", False, ("spend",)),
    ("Stock Levels", "Operations", 3, "snowflake", True, ("OPS.STOCK",)),
    ("Headcount", "Default", 4, "postgres", False, ("hr.people",)),
)

# name, project, owner, tags, data sources, views
WORKBOOKS = (
    ("Sales", "Finance", 1, ("gold",), ("Orders", "General Ledger"), ("Overview", "By Region", "Trend")),
    ("Cash Flow", "Reports", 1, ("board",), ("General Ledger", "Receivables"), ("Forecast", "Actuals")),
    ("Month End Close", "Finance", 1, (), ("General Ledger",), ("Checklist",)),
    ("Overdue Invoices", "Finance", 2, ("dunning",), ("Receivables",), ("By Customer", "Ageing")),
    ("Campaign Results", "Marketing", 2, ("gold",), ("Campaign Spend", "Web Sessions"), ("Return", "Reach")),
    ("Web Traffic", "Marketing", 2, (), ("Web Sessions",), ("Visitors", "Funnel")),
    ("Newsletter", "Marketing", 3, (), ("Web Sessions",), ("Opens",)),
    ("Delivery Times", "Operations", 3, ("sla",), ("Orders",), ("Late Orders", "Carriers")),
    ("Stock & Reorder", "Operations", 3, (), ("Stock Levels", "Orders"), ("Stock", "Reorder")),
    ("Store Map", "Operations", 3, (), ("Orders",), ("Map",)),
    ("Headcount Plan", "Default", 4, ("confidential",), ("Headcount",), ("Plan",)),
    ("Scratchpad", "Default", 5, (), (), ("Sheet 1",)),
)
FLOWS = (("Clean Orders", "Operations", 3, "Orders"), ("Join Campaigns", "Marketing", 2, "Campaign Spend"))


class Seed:
    """Creates sites with their contents; `luid` returns the identifiers, `now` is the time of the start."""

    def __init__(self, config: Config, luid: Callable[[], str], now: datetime) -> None:
        self._config = config
        self._luid = luid
        self._now = now
        self._number = 100

    def company(self) -> Site:
        """Return the site of the credentials, with all its contents."""
        name = self._config.content_url.title() or "Default"
        site = Site(self._named("site", name), name, self._config.content_url)
        self._add_users(site)
        self._add_projects(site)
        self._add_content(site)
        self._add_tasks(site)
        self._add_subscriptions_and_alerts(site)
        self._add_jobs(site)
        return site

    def branch(self, head: Site) -> Site:
        """Return a second, nearly empty site of the same server, to switch to."""
        content_url = "branch" if head.content_url != "branch" else "branch-2"
        site = Site(self._named("site", "Branch"), "Branch", content_url)
        self._add_users(site, is_home=False)
        owner = next(iter(site.users))
        project = Project(self._luid(), "Default", owner, "The default project", created_at=self._now)
        site.projects[project.luid] = project
        return site

    def _named(self, kind: str, name: str) -> str:
        """Return a LUID made from kind and name, as `flask trigger` makes it; the next one if not in the usual company.

        Events of `flask trigger` and Postman are then about content of the demo's site.
        """
        # Also if it is not used, so that other identifiers do not change.
        drawn = self._luid()
        if (self._config.content_url, self._config.seed) != (Config.content_url, Config.seed):
            # Two sites have no LUIDs in common.
            return drawn
        digest = hashlib.sha256(f"{kind}/{name}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def _add_users(self, site: Site, *, is_home: bool = True) -> None:
        names = {0: self._config.username}
        for index, (full_name, short, role) in enumerate(PEOPLE):
            email = f"{short}@acme.example"
            seen = self._now - timedelta(hours=3 * index + 1)
            name = names.get(index, email)
            luid = self._named("user", name) if is_home else self._luid()
            user = User(luid, name, full_name, email, role, seen)
            site.users[user.luid] = user
        luids = list(site.users)
        for name, members in GROUPS.items():
            group = Group(self._luid(), name, [luids[index] for index in members])
            site.groups[group.luid] = group

    def _add_projects(self, site: Site) -> None:
        owners, luids = list(site.users), dict[str, str]()
        for name, description, owner, parent in PROJECTS:
            project = Project(self._luid(), name, owners[owner], description, luids.get(parent or ""), self._now)
            luids[name] = project.luid
            site.projects[project.luid] = project

    def _content(self, site: Site, kind: str, name: str, project: str, owner: int) -> dict[str, object]:
        """Return the fields that all content has."""
        self._number += 1
        age = timedelta(days=400 - self._number)
        return {
            "luid": self._named(kind, name),
            "number": self._number,
            "name": name,
            "content_url": content_url(name),
            "project": next(p.luid for p in site.projects.values() if p.name == project),
            "owner": list(site.users)[owner],
            "created_at": self._now - age,
            "updated_at": self._now - timedelta(hours=self._number % 90),
        }

    def _add_content(self, site: Site) -> None:
        for name, project, owner, kind, certified, tables in DATASOURCES:
            base = self._content(site, "datasource", name, project, owner)
            source = Datasource(**base, type=kind, is_certified=certified, tables=list(tables))  # type: ignore[arg-type]
            source.has_extracts = kind != "google-sheets"
            source.certification_note = "Checked by the stewards" if certified else ""
            site.datasources[source.luid] = source
        sources = {source.name: source.luid for source in site.datasources.values()}
        for name, project, owner, tags, reads, views in WORKBOOKS:
            workbook = Workbook(**self._content(site, "workbook", name, project, owner))  # type: ignore[arg-type]
            workbook.tags = list(tags)
            workbook.datasources = [sources[source] for source in reads]
            workbook.has_extracts = bool(reads)
            site.workbooks[workbook.luid] = workbook
            for view in views:
                add_view(site, workbook, view, self._named("view", view))
        for name, project, owner, output in FLOWS:
            flow = Flow(**self._content(site, "flow", name, project, owner), output=output)  # type: ignore[arg-type]
            site.flows[flow.luid] = flow

    def _add_tasks(self, site: Site) -> None:
        refreshed = [("workbook", item) for item in site.workbooks.values() if item.has_extracts]
        refreshed += [("datasource", item) for item in site.datasources.values() if item.has_extracts]  # type: ignore[misc]
        for index, (kind, item) in enumerate(refreshed):
            self._add_task(site, ("extractRefresh", "FullRefresh", kind), item.luid, index)
        for index, flow in enumerate(site.flows):
            self._add_task(site, ("flowRun", "RunFlowTask", "flow"), flow, index)
        flows = [(self._luid(), self._luid(), flow) for flow in site.flows]
        linked = LinkedTask(self._luid(), self._luid(), flows)
        site.linked_tasks[linked.luid] = linked

    def _add_task(self, site: Site, kinds: tuple[str, str, str], content: str, index: int) -> None:
        due = (self._now + timedelta(hours=index + 1)).replace(minute=5 * (index % 12), second=0, microsecond=0)
        frequency = ("Daily", "Hourly", "Weekly")[index % 3]
        task = Task(self._luid(), *kinds, content, frequency, due, self._luid())
        site.tasks[task.luid] = task
        if self._config.is_server:
            kind = "Flow" if content in site.flows else "Extract"
            noun, known = "flows" if kind == "Flow" else "extracts", site.schedules.values()
            schedule = next((one for one in known if (one.type, one.frequency) == (kind, frequency)), None)
            schedule = schedule or Schedule(task.schedule, f"{frequency} {noun}", kind, frequency)
            site.schedules[schedule.luid], task.schedule = schedule, schedule.luid

    def _add_subscriptions_and_alerts(self, site: Site) -> None:
        people = list(site.users)
        for index, view in enumerate(list(site.views.values())[:3]):
            subject = f"{view.name} every Monday"
            subscription = Subscription(
                self._named("subscription", subject), subject, "View", view.luid, people[index], self._luid()
            )
            site.subscriptions[subscription.luid] = subscription
        for index, view in enumerate(list(site.views.values())[3:5]):
            alert = DataAlert(self._luid(), f"{view.name} above plan", view.luid, people[index], "Daily", self._now)
            alert.recipients = people[index : index + 2]
            site.data_alerts[alert.luid] = alert

    def _add_jobs(self, site: Site) -> None:
        """Add last night's refreshes, of which one failed."""
        begin = self._now - timedelta(hours=20)
        for index, item in enumerate([item for item in site.workbooks.values() if item.has_extracts][:6]):
            at = begin + timedelta(minutes=10 * index)
            kinds = ("RefreshExtract", "refresh_extracts", item.name, "Workbook", "workbook")
            job = Job(self._luid(), *kinds, item.luid, at, at + timedelta(seconds=4), at + timedelta(seconds=64))
            failed = item.name == "Overdue Invoices"
            job.finish_code, job.notes = (1, "java.lang.RuntimeException: Out of disk space") if failed else (0, "")
            site.jobs[job.luid] = job


def content_url(name: str) -> str:
    """Return a name as it appears in addresses: letters, digits, _ and - only."""
    return "".join(char for char in name if char.isalnum() or char in "_-") or "untitled"


def add_view(site: Site, workbook: Workbook, name: str, luid: str) -> View:
    """Add a sheet to a workbook."""
    sheet = f"{workbook.content_url}/sheets/{content_url(name)}"
    number = workbook.number * 10 + len(workbook.views)
    times = (workbook.created_at, workbook.updated_at)
    view = View(luid, number, name, sheet, workbook.project, workbook.owner, *times, workbook=workbook.luid)
    view.hits = sum(map(ord, name)) % 400
    site.views[luid] = view
    workbook.views.append(luid)
    return view
