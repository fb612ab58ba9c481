"""Models of Tableau's objects: frozen dataclasses, read by `from_json`, loaded when first used.

Building thirty dataclasses takes longer than the client may add to the import of requests, and most programs use three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableau_rest.lazy import lazy

if TYPE_CHECKING:
    from tableau_rest.models.content import Connection as Connection
    from tableau_rest.models.content import Content as Content
    from tableau_rest.models.content import Datasource as Datasource
    from tableau_rest.models.content import Flow as Flow
    from tableau_rest.models.content import Project as Project
    from tableau_rest.models.content import View as View
    from tableau_rest.models.content import Workbook as Workbook
    from tableau_rest.models.lineage import Database as Database
    from tableau_rest.models.lineage import Dependent as Dependent
    from tableau_rest.models.lineage import Downstream as Downstream
    from tableau_rest.models.lineage import Upstream as Upstream
    from tableau_rest.models.model import Reference as Reference
    from tableau_rest.models.people import CredentialStatus as CredentialStatus
    from tableau_rest.models.people import Group as Group
    from tableau_rest.models.people import Permission as Permission
    from tableau_rest.models.people import ServerInfo as ServerInfo
    from tableau_rest.models.people import Site as Site
    from tableau_rest.models.people import User as User
    from tableau_rest.models.quality import Label as Label
    from tableau_rest.models.quality import QualityWarning as QualityWarning
    from tableau_rest.models.subscriptions import DataAlert as DataAlert
    from tableau_rest.models.subscriptions import Subscription as Subscription
    from tableau_rest.models.webhook import Webhook as Webhook
    from tableau_rest.models.webhook import WebhookTest as WebhookTest
    from tableau_rest.models.work import BackgroundJob as BackgroundJob
    from tableau_rest.models.work import FlowRun as FlowRun
    from tableau_rest.models.work import Job as Job
    from tableau_rest.models.work import LinkedTask as LinkedTask
    from tableau_rest.models.work import Schedule as Schedule
    from tableau_rest.models.work import Task as Task

_HOMES = {
    "BackgroundJob": "work",
    "Connection": "content",
    "Content": "content",
    "DataAlert": "subscriptions",
    "Datasource": "content",
    "Dependent": "lineage",
    "Downstream": "lineage",
    "Flow": "content",
    "FlowRun": "work",
    "Group": "people",
    "Job": "work",
    "Label": "quality",
    "LinkedTask": "work",
    "Permission": "people",
    "Project": "content",
    "Reference": "model",
    "Schedule": "work",
    "ServerInfo": "people",
    "Site": "people",
    "CredentialStatus": "people",
    "Subscription": "subscriptions",
    "Task": "work",
    "Database": "lineage",
    "Upstream": "lineage",
    "User": "people",
    "View": "content",
    "QualityWarning": "quality",
    "Webhook": "webhook",
    "WebhookTest": "webhook",
    "Workbook": "content",
}
__all__ = list(_HOMES)
__getattr__ = lazy(__name__, _HOMES)
