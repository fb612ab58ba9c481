"""What a Tableau site holds: people, content, jobs and what watches over them. Plain data, no behaviour of the wire."""

from dataclasses import dataclass, field
from datetime import datetime

# (user or group, its LUID) -> capability -> Allow or Deny
Permissions = dict[tuple[str, str], dict[str, str]]
ADMIN_ROLES = ("SiteAdministratorCreator", "SiteAdministratorExplorer", "SiteAdministrator", "ServerAdministrator")


@dataclass
class User:
    """Somebody with a seat on the site."""

    luid: str
    name: str
    full_name: str
    email: str
    site_role: str
    last_login: datetime | None = None

    @property
    def is_admin(self) -> bool:
        """Whether this user may manage the site: webhooks, jobs, users."""
        return self.site_role in ADMIN_ROLES


@dataclass
class Group:
    """Users under one name."""

    luid: str
    name: str
    users: list[str] = field(default_factory=list)


@dataclass
class Project:
    """A folder of content."""

    luid: str
    name: str
    owner: str
    description: str = ""
    parent: str | None = None
    created_at: datetime | None = None


@dataclass
class Content:
    """What every piece of content has. `number` is the id of its address in the browser, not the LUID."""

    luid: str
    number: int
    name: str
    content_url: str
    project: str
    owner: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    tags: list[str] = field(default_factory=list)
    has_extracts: bool = False
    failing: str = ""  # while not empty, every refresh fails for this reason
    fail_next: int = 0  # so many refreshes fail, then they succeed again …
    fail_reason: str = ""  # … for this reason, or for one of many


@dataclass
class Workbook(Content):
    """A workbook with its views and the data sources it reads."""

    views: list[str] = field(default_factory=list)
    datasources: list[str] = field(default_factory=list)
    show_tabs: bool = True
    size: int = 2
    revision: int = 1


@dataclass
class Datasource(Content):
    """A published data source and the tables below it."""

    type: str = "sqlserver"
    server: str = "warehouse.acme.example"
    tables: list[str] = field(default_factory=list)
    is_certified: bool = False
    certification_note: str = ""
    revision: int = 1


@dataclass
class View(Content):
    """One sheet or dashboard of a workbook."""

    workbook: str = ""
    hits: int = 0


@dataclass
class Flow(Content):
    """A Prep flow."""

    output: str = ""


@dataclass
class Job:
    """Background work: a refresh, a flow run, a subscription. `visible_at` is when the list shows how it ended."""

    luid: str
    type: str  # RefreshExtract, RunFlow …: the word of a single job
    job_type: str  # refresh_extracts, run_flow …: the word of the list
    title: str
    subtitle: str
    content_kind: str
    content: str
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    visible_at: datetime | None = None
    absent: bool = False  # until visible_at the job is not listed at all, instead of listed as running
    finish_code: int | None = None  # 0 success, 1 failed, 2 cancelled
    notes: str = ""
    priority: int = 50
    flow_run: str = ""
    task: str = ""

    def status(self, now: datetime) -> str:
        """The word the list of jobs has for how far this one is."""
        if self.finished(now):
            return {0: "Success", 1: "Failed", 2: "Cancelled"}[self.finish_code or 0]
        return "InProgress" if self.started_at else "Pending"

    def finished(self, now: datetime) -> bool:
        """Whether a caller can see the end of this job by now."""
        return self.finish_code is not None and not (self.visible_at and now < self.visible_at)


@dataclass
class Task:
    """A refresh or a flow on a schedule."""

    luid: str
    kind: str  # extractRefresh or runFlow
    type: str  # FullRefresh, IncrementalRefresh, RunFlowTask
    content_kind: str
    content: str
    frequency: str
    next_run_at: datetime
    schedule: str
    consecutive_failed_count: int = 0
    priority: int = 50


@dataclass
class LinkedTask:
    """Flows that run one after the other."""

    luid: str
    schedule: str
    steps: list[tuple[str, str, str]]  # (step LUID, flow run task LUID, flow LUID)


@dataclass
class FlowRun:
    """One run of a flow; its job knows how it went."""

    luid: str
    flow: str
    job: str


@dataclass
class Webhook:
    """A subscription to one event, with the address it is delivered to."""

    luid: str
    name: str
    event: str
    url: str
    owner: str
    created_at: datetime
    updated_at: datetime
    is_enabled: bool = True
    status_change_reason: str = ""
    given_up: int = 0  # deliveries in a row that nobody took


@dataclass
class Label:
    """A label or data quality warning on a piece of content."""

    luid: str
    content_kind: str
    content: str
    value: str
    category: str
    message: str
    active: bool
    elevated: bool
    user: str
    created_at: datetime
    updated_at: datetime


@dataclass
class Subscription:
    """A picture of a view or workbook, mailed on a schedule."""

    luid: str
    subject: str
    content_kind: str
    content: str
    user: str
    schedule: str
    attach_image: bool = True
    attach_pdf: bool = False


@dataclass
class DataAlert:
    """A mail when a number passes a threshold."""

    luid: str
    subject: str
    view: str
    owner: str
    frequency: str
    created_at: datetime
    public: bool = True
    recipients: list[str] = field(default_factory=list)


@dataclass
class Site:
    """One site. The collections are keyed by LUID and keep their order."""

    luid: str
    name: str
    content_url: str
    state: str = "Active"
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    workbooks: dict[str, Workbook] = field(default_factory=dict)
    datasources: dict[str, Datasource] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    linked_tasks: dict[str, LinkedTask] = field(default_factory=dict)
    flow_runs: dict[str, FlowRun] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    data_alerts: dict[str, DataAlert] = field(default_factory=dict)
    permissions: dict[str, Permissions] = field(default_factory=dict)  # by the LUID of what they are for
    last_number: int = 100  # the highest that was given to new content

    def content(self, kind: str) -> dict[str, Content]:
        """The collection of a kind of content, named in the singular: workbook, datasource, view, flow."""
        collections = {
            "workbook": self.workbooks,
            "datasource": self.datasources,
            "view": self.views,
            "flow": self.flows,
        }
        return collections[kind]  # type: ignore[return-value]

    def user_named(self, name: str) -> User | None:
        """The user with this name; names are compared as Tableau Cloud does, letter by letter."""
        return next((user for user in self.users.values() if user.name == name), None)
