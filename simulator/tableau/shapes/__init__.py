"""How each resource is described to callers, once for JSON and XML."""

from simulator.tableau.shapes.content import connection, datasource, flow, tags, view, workbook
from simulator.tableau.shapes.notices import data_alert, label, subscription, warning, webhook
from simulator.tableau.shapes.people import group, project, site, user
from simulator.tableau.shapes.work import flow_run, job, linked_task, listed_job, task

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
