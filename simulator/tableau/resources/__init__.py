"""The representations of the resources, each once for JSON and XML."""

from __future__ import annotations

from simulator.tableau.resources.content import connection, datasource, flow, tags, view, workbook
from simulator.tableau.resources.jobs import flow_run, job, linked_task, listed_job, schedule, task
from simulator.tableau.resources.subscriptions import data_alert, label, subscription, warning, webhook
from simulator.tableau.resources.users import group, project, site, user

__all__ = [
    "connection",
    "data_alert",
    "datasource",
    "flow",
    "flow_run",
    "group",
    "job",
    "label",
    "linked_task",
    "listed_job",
    "project",
    "schedule",
    "site",
    "subscription",
    "tags",
    "task",
    "user",
    "view",
    "warning",
    "webhook",
    "workbook",
]
