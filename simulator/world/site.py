"""The contents of a Tableau site: users, content, webhooks, subscriptions. Plain data.

An `owner`, `user`, `project`, `content` and the like is a LUID.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from simulator.world.jobs import FlowRun, Job, LinkedTask, Schedule, Task

# (user or group, its LUID) -> capability -> Allow or Deny
Permissions = dict[tuple[str, str], dict[str, str]]
ADMIN_ROLES = ("SiteAdministratorCreator", "SiteAdministratorExplorer", "SiteAdministrator", "ServerAdministrator")


@dataclass
class User:
    """A user of the site."""

    luid: str
    name: str
    full_name: str
    email: str
    site_role: str
    last_login: datetime | None = None

    @property
    def is_admin(self) -> bool:
        """Return whether this user can manage the site: webhooks, jobs, users."""
        return self.site_role in ADMIN_ROLES


@dataclass
class Group:
    """A group of users."""

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
    """The fields of every piece of content. `number` is its id in browser addresses, which is not the LUID."""

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
    # If set, every refresh fails for this reason.
    failing: str = ""
    # The number of coming refreshes that fail for `fail_reason`, or for a random reason.
    fail_next: int = 0
    fail_reason: str = ""


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
    """A published data source and its tables."""

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
class Webhook:
    """A registration for one event type, with the address that receives the events."""

    luid: str
    name: str
    event: str
    url: str
    owner: str
    created_at: datetime
    updated_at: datetime
    is_enabled: bool = True
    status_change_reason: str = ""
    # Consecutive deliveries that failed.
    given_up: int = 0


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
    """An e-mail with a picture of a view or workbook, sent on a schedule."""

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
    """An e-mail that is sent when a number passes a threshold."""

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
    # Empty on Tableau Cloud, where each task has a schedule of its own.
    schedules: dict[str, Schedule] = field(default_factory=dict)
    linked_tasks: dict[str, LinkedTask] = field(default_factory=dict)
    flow_runs: dict[str, FlowRun] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    data_alerts: dict[str, DataAlert] = field(default_factory=dict)
    # By the LUID of the content that they apply to.
    permissions: dict[str, Permissions] = field(default_factory=dict)
    # The highest `number` that new content was given.
    last_number: int = 100

    def content(self, kind: str) -> dict[str, Content]:
        """Return the collection of a kind of content: workbook, datasource, view, flow."""
        collections = {
            "workbook": self.workbooks,
            "datasource": self.datasources,
            "view": self.views,
            "flow": self.flows,
        }
        return collections[kind]  # type: ignore[return-value]

    @property
    def default_project(self) -> Project:
        """Return the project that content belongs to if none is given."""
        return next(iter(self.projects.values()))

    def user_named(self, name: str) -> User | None:
        """Return the user with this name, which is case-sensitive as on Tableau Cloud."""
        return next((user for user in self.users.values() if user.name == name), None)
