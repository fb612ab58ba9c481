"""The calls of tableauserverclient: the simulator responds as Tableau does, or says that it lacks the call."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import time
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pytest
import tableauserverclient as tableau
from tableauserverclient.server.endpoint.exceptions import ServerResponseError

from simulator import Running, running


class Client:
    """A signed-in client, and one piece of content of each kind."""

    def __init__(self, tsc: tableau.Server, folder: Path) -> None:
        self.tsc = tsc
        self.folder = folder

    def named(self, endpoint: Any, name: str) -> Any:
        return next(item for item in tableau.Pager(endpoint) if item.name == name)

    @cached_property
    def book(self) -> Any:
        return self.named(self.tsc.workbooks, "Sales")

    @cached_property
    def source(self) -> Any:
        return self.named(self.tsc.datasources, "Orders")

    @cached_property
    def view(self) -> Any:
        return self.named(self.tsc.views, "Overview")

    @cached_property
    def flow(self) -> Any:
        return self.named(self.tsc.flows, "Clean Orders")

    @cached_property
    def project(self) -> Any:
        return self.named(self.tsc.projects, "Finance")

    @cached_property
    def group(self) -> Any:
        return self.named(self.tsc.groups, "BI Stewards")

    @cached_property
    def user(self) -> Any:
        return next(user for user in self.tsc.users.get()[0] if user.fullname == "Finn O'Brien")

    @cached_property
    def file(self) -> str:
        path = self.folder / "Churn.twb"
        path.write_text("<workbook/>")
        return str(path)

    @cached_property
    def source_file(self) -> str:
        path = self.folder / "Churn.tds"
        path.write_text("<datasource/>")
        return str(path)

    @cached_property
    def rule(self) -> Any:
        read = {tableau.Permission.Capability.Read: tableau.Permission.Mode.Allow}
        return tableau.PermissionsRule(self.user, read)

    @cached_property
    def warning(self) -> Any:
        return tableau.DQWItem("WARNING", message="late", active=True, severe=False)


Check = Callable[[Client], object]
Table = dict[str, Check]


def _then(done: object, result: Callable[[], object]) -> object:
    """Return a result after a call that returns nothing of use."""
    del done
    return result()


def _gone(call: Callable[[], object]) -> bool:
    with pytest.raises(ServerResponseError) as refused:
        call()
    return bool(refused.value.code.startswith("404"))


def _set(item: Any, **values: object) -> Any:
    for name, value in values.items():
        setattr(item, name, value)
    return item


def _filtered(endpoint: Any, field: str, operator: str, value: object) -> list[Any]:
    options = tableau.RequestOptions()
    options.filter.add(tableau.Filter(field, operator, value))
    return list(endpoint.get(options)[0])


CONTENT: Table = {
    "workbooks.get": lambda c: c.tsc.workbooks.get()[1].total_available == 12,
    "workbooks.get filtered": lambda c: (
        [w.name for w in _filtered(c.tsc.workbooks, "projectName", "eq", "Marketing")]
        == ["Campaign Results", "Web Traffic", "Newsletter"]
    ),
    "workbooks.filter": lambda c: [w.name for w in c.tsc.workbooks.filter(name="Sales")] == ["Sales"],
    "workbooks.order_by": lambda c: next(iter(c.tsc.workbooks.all().order_by("-name"))).name == "Web Traffic",
    "workbooks.get_by_id": lambda c: c.tsc.workbooks.get_by_id(c.book.id).views[0].name == "Overview",
    "workbooks.get_by_id unknown": lambda c: _gone(lambda: c.tsc.workbooks.get_by_id("x")),
    "workbooks.update": lambda c: c.tsc.workbooks.update(_set(c.book, name="Sold")).name == "Sold",
    "workbooks.update owner": lambda c: (
        _then(
            c.tsc.workbooks.update(_set(c.book, owner_id=c.user.id)),
            lambda: c.tsc.workbooks.get_by_id(c.book.id).owner_id,
        )
        == c.user.id
    ),
    "workbooks.update project": lambda c: (
        _then(
            c.tsc.workbooks.update(_set(c.book, project_id=c.tsc.projects.get()[0][0].id)),
            lambda: c.tsc.workbooks.get_by_id(c.book.id).project_name,
        )
        == "Default"
    ),
    "workbooks.delete": lambda c: _then(
        c.tsc.workbooks.delete(c.book.id), lambda: _gone(lambda: c.tsc.workbooks.get_by_id(c.book.id))
    ),
    "workbooks.refresh": lambda c: c.tsc.jobs.wait_for_job(c.tsc.workbooks.refresh(c.book), timeout=5).finish_code == 0,
    "workbooks.refresh incremental": lambda c: (
        c.tsc.jobs.wait_for_job(c.tsc.workbooks.refresh(c.book, incremental=True), timeout=5).finish_code == 0
    ),
    "workbooks.add_tags": lambda c: c.tsc.workbooks.add_tags(c.book, ["a b", "c"]) >= {"a b", "c"},
    "workbooks.delete_tags": lambda c: (
        _then(c.tsc.workbooks.delete_tags(c.book, ["gold"]), lambda: c.tsc.workbooks.get_by_id(c.book.id).tags) == set()
    ),
    "workbooks.update_tags": lambda c: (
        _then(
            c.tsc.workbooks.update_tags(_set(c.book, tags={"new"})), lambda: c.tsc.workbooks.get_by_id(c.book.id).tags
        )
        == {"new"}
    ),
    "workbooks.populate_views": lambda c: (
        _then(c.tsc.workbooks.populate_views(c.book), lambda: [v.name for v in c.book.views])
        == ["Overview", "By Region", "Trend"]
    ),
    "workbooks.populate_views usage": lambda c: (
        _then(c.tsc.workbooks.populate_views(c.book, usage=True), lambda: c.book.views[0].total_views) > 0
    ),
    "workbooks.populate_connections": lambda c: (
        _then(c.tsc.workbooks.populate_connections(c.book), lambda: [x.connection_type for x in c.book.connections])
        == ["sqlserver", "oracle"]
    ),
    "workbooks.populate_pdf": lambda c: _then(c.tsc.workbooks.populate_pdf(c.book), lambda: c.book.pdf[:4]) == b"%PDF",
    "workbooks.populate_powerpoint": lambda c: _then(
        c.tsc.workbooks.populate_powerpoint(c.book), lambda: zipfile.is_zipfile(io.BytesIO(c.book.powerpoint))
    ),
    "workbooks.populate_preview_image": lambda c: (
        _then(c.tsc.workbooks.populate_preview_image(c.book), lambda: c.book.preview_image[:4]) == b"\x89PNG"
    ),
    "workbooks.populate_permissions": lambda c: _then(
        c.tsc.workbooks.populate_permissions(c.book), lambda: c.book.permissions
    ),
    "workbooks.update_permissions": lambda c: c.tsc.workbooks.update_permissions(c.book, [c.rule]),
    "workbooks.delete_permission": lambda c: _then(
        (
            c.tsc.workbooks.update_permissions(c.book, [c.rule]),
            c.tsc.workbooks.delete_permission(c.book, c.rule),
            c.tsc.workbooks.populate_permissions(c.book),
        ),
        lambda: all(r.grantee.id != c.user.id for r in c.book.permissions),
    ),
    "workbooks.populate_revisions": lambda c: (
        _then(c.tsc.workbooks.populate_revisions(c.book), lambda: [r.revision_number for r in c.book.revisions])
        == ["1"]
    ),
    "workbooks.download": lambda c: zipfile.is_zipfile(c.tsc.workbooks.download(c.book.id, str(c.folder / "x"))),
    "workbooks.download without extract": lambda c: zipfile.is_zipfile(
        c.tsc.workbooks.download(c.book.id, str(c.folder / "x"), include_extract=False)
    ),
    "workbooks.publish": lambda c: (
        c.tsc.workbooks.publish(tableau.WorkbookItem(c.project.id, name="Churn"), c.file, "CreateNew").project_name
        == "Finance"
    ),
    "workbooks.publish overwrite": lambda c: (
        [c.tsc.workbooks.publish(tableau.WorkbookItem(c.project.id, name="Sales"), c.file, "Overwrite").id]
        == [c.book.id]
    ),
    "workbooks.publish as a job": lambda c: (
        c.tsc.jobs.wait_for_job(
            c.tsc.workbooks.publish(tableau.WorkbookItem(c.project.id, name="Churn"), c.file, "CreateNew", as_job=True),
            timeout=5,
        ).finish_code
        == 0
    ),
    "datasources.get": lambda c: c.tsc.datasources.get()[1].total_available == 7,
    "datasources.get filtered": lambda c: len(_filtered(c.tsc.datasources, "type", "eq", "oracle")) == 2,
    "datasources.get_by_id": lambda c: c.tsc.datasources.get_by_id(c.source.id).certified is True,
    "datasources.update": lambda c: (
        _then(
            c.tsc.datasources.update(_set(c.tsc.datasources.get_by_id(c.source.id), certified=False)),
            lambda: c.tsc.datasources.get_by_id(c.source.id).certified,
        )
        is False
    ),
    "datasources.delete": lambda c: _then(
        c.tsc.datasources.delete(c.source.id), lambda: _gone(lambda: c.tsc.datasources.get_by_id(c.source.id))
    ),
    "datasources.refresh": lambda c: (
        c.tsc.jobs.wait_for_job(c.tsc.datasources.refresh(c.source), timeout=5).finish_code == 0
    ),
    "datasources.add_tags": lambda c: c.tsc.datasources.add_tags(c.source, ["a"]) == {"a"},
    "datasources.delete_tags": lambda c: (
        _then(
            (c.tsc.datasources.add_tags(c.source, ["a"]), c.tsc.datasources.delete_tags(c.source, ["a"])),
            lambda: c.tsc.datasources.get_by_id(c.source.id).tags,
        )
        == set()
    ),
    "datasources.update_tags": lambda c: (
        _then(
            c.tsc.datasources.update_tags(_set(c.source, tags={"new"})),
            lambda: c.tsc.datasources.get_by_id(c.source.id).tags,
        )
        == {"new"}
    ),
    "datasources.populate_connections": lambda c: (
        _then(c.tsc.datasources.populate_connections(c.source), lambda: [x.username for x in c.source.connections])
        == ["svc_tableau"]
    ),
    "datasources.populate_permissions": lambda c: _then(
        c.tsc.datasources.populate_permissions(c.source), lambda: c.source.permissions
    ),
    "datasources.update_permissions": lambda c: (
        _then(
            (
                c.tsc.datasources.update_permissions(c.source, [c.rule]),
                c.tsc.datasources.populate_permissions(c.source),
            ),
            lambda: len(c.source.permissions),
        )
        == 2
    ),
    "datasources.delete_permission": lambda c: _then(
        (
            c.tsc.datasources.update_permissions(c.source, [c.rule]),
            c.tsc.datasources.delete_permission(c.source, c.rule),
            c.tsc.datasources.populate_permissions(c.source),
        ),
        lambda: all(r.grantee.id != c.user.id for r in c.source.permissions),
    ),
    "datasources.populate_revisions": lambda c: (
        _then(c.tsc.datasources.populate_revisions(c.source), lambda: [r.current for r in c.source.revisions]) == [True]
    ),
    "datasources.download": lambda c: zipfile.is_zipfile(c.tsc.datasources.download(c.source.id, str(c.folder / "x"))),
    "datasources.publish": lambda c: (
        c.tsc.datasources.publish(tableau.DatasourceItem(c.project.id, name="Churn"), c.source_file, "CreateNew").name
        == "Churn"
    ),
    "datasources.publish as a job": lambda c: (
        c.tsc.jobs.wait_for_job(
            c.tsc.datasources.publish(
                tableau.DatasourceItem(c.project.id, name="Churn"), c.source_file, "CreateNew", as_job=True
            ),
            timeout=5,
        ).finish_code
        == 0
    ),
    "datasources.add_dqw": lambda c: c.tsc.datasources.add_dqw(c.source, c.warning)[0].message == "late",
    "datasources.populate_dqw": lambda c: (
        _then(
            (c.tsc.datasources.add_dqw(c.source, c.warning), c.tsc.datasources.populate_dqw(c.source)),
            lambda: [w.message for w in c.source.dqws],
        )
        == ["late"]
    ),
    "datasources.update_dqw": lambda c: (
        _then(
            c.tsc.datasources.add_dqw(c.source, c.warning),
            lambda: c.tsc.datasources.update_dqw(c.source, _set(c.warning, message="later"))[0].message,
        )
        == "later"
    ),
    "datasources.delete_dqw": lambda c: (
        _then(
            (
                c.tsc.datasources.add_dqw(c.source, c.warning),
                c.tsc.datasources.delete_dqw(c.source),
                c.tsc.datasources.populate_dqw(c.source),
            ),
            lambda: c.source.dqws,
        )
        == []
    ),
    "views.get": lambda c: c.tsc.views.get()[1].total_available == 20,
    "views.get usage": lambda c: c.tsc.views.get(usage=True)[0][0].total_views > 0,
    "views.get_by_id": lambda c: c.tsc.views.get_by_id(c.view.id).workbook_id == c.book.id,
    "views.add_tags": lambda c: c.tsc.views.add_tags(c.view, ["a"]) == {"a"},
    "views.delete_tags": lambda c: (
        _then(
            (c.tsc.views.add_tags(c.view, ["a"]), c.tsc.views.delete_tags(c.view, ["a"])),
            lambda: c.tsc.views.get_by_id(c.view.id).tags,
        )
        == set()
    ),
    "views.update": lambda c: (
        _then(c.tsc.views.update(_set(c.view, tags={"new"})), lambda: c.tsc.views.get_by_id(c.view.id).tags) == {"new"}
    ),
    "views.update_tags": lambda c: (
        _then(c.tsc.views.update_tags(_set(c.view, tags={"new"})), lambda: c.tsc.views.get_by_id(c.view.id).tags)
        == {"new"}
    ),
    "views.delete": lambda c: _then(
        c.tsc.views.delete(c.view), lambda: _gone(lambda: c.tsc.views.get_by_id(c.view.id))
    ),
    "views.populate_csv": lambda c: (
        _then(c.tsc.views.populate_csv(c.view), lambda: b"".join(c.view.csv).count(b"\n")) > 1
    ),
    "views.populate_excel": lambda c: _then(
        c.tsc.views.populate_excel(c.view), lambda: zipfile.is_zipfile(io.BytesIO(b"".join(c.view.excel)))
    ),
    "views.populate_image": lambda c: _then(c.tsc.views.populate_image(c.view), lambda: c.view.image[:4]) == b"\x89PNG",
    "views.populate_pdf": lambda c: _then(c.tsc.views.populate_pdf(c.view), lambda: c.view.pdf[:4]) == b"%PDF",
    "views.populate_preview_image": lambda c: (
        _then(c.tsc.views.populate_preview_image(c.view), lambda: c.view.preview_image[:4]) == b"\x89PNG"
    ),
    "views.populate_permissions": lambda c: _then(c.tsc.views.populate_permissions(c.view), lambda: c.view.permissions),
    "views.update_permissions": lambda c: c.tsc.views.update_permissions(c.view, [c.rule]),
    "views.delete_permission": lambda c: _then(
        (
            c.tsc.views.update_permissions(c.view, [c.rule]),
            c.tsc.views.delete_permission(c.view, c.rule),
            c.tsc.views.populate_permissions(c.view),
        ),
        lambda: all(r.grantee.id != c.user.id for r in c.view.permissions),
    ),
    "tags.batch_add": lambda c: (
        _then(
            c.tsc.tags.batch_add(["x"], [c.book, c.source, c.flow]),
            lambda: [c.tsc.datasources.get_by_id(c.source.id).tags, c.tsc.flows.get_by_id(c.flow.id).tags],
        )
        == [{"x"}, {"x"}]
    ),
    "tags.batch_delete": lambda c: (
        _then(c.tsc.tags.batch_delete(["gold"], [c.book]), lambda: c.tsc.workbooks.get_by_id(c.book.id).tags) == set()
    ),
}

FLOWS_AND_JOBS: Table = {
    "flows.get": lambda c: [f.name for f in c.tsc.flows.get()[0]] == ["Clean Orders", "Join Campaigns"],
    "flows.get_by_id": lambda c: c.tsc.flows.get_by_id(c.flow.id).project_name == "Operations",
    "flows.update": lambda c: (
        _then(c.tsc.flows.update(_set(c.flow, owner_id=c.user.id)), lambda: c.tsc.flows.get_by_id(c.flow.id).owner_id)
        == c.user.id
    ),
    "flows.delete": lambda c: _then(c.tsc.flows.delete(c.flow.id), lambda: len(c.tsc.flows.get()[0])) == 1,
    "flows.refresh": lambda c: (
        c.tsc.jobs.wait_for_job(c.tsc.flows.refresh(c.flow), timeout=5).flow_run.flow_id == c.flow.id
    ),
    "flows.add_tags": lambda c: c.tsc.flows.add_tags(c.flow, ["a"]) == {"a"},
    "flows.delete_tags": lambda c: (
        _then(
            (c.tsc.flows.add_tags(c.flow, ["a"]), c.tsc.flows.delete_tags(c.flow, ["a"])),
            lambda: c.tsc.flows.get_by_id(c.flow.id).tags,
        )
        == set()
    ),
    "flows.update_tags": lambda c: (
        _then(c.tsc.flows.update_tags(_set(c.flow, tags={"new"})), lambda: c.tsc.flows.get_by_id(c.flow.id).tags)
        == {"new"}
    ),
    "flows.download": lambda c: zipfile.is_zipfile(c.tsc.flows.download(c.flow.id, str(c.folder / "x"))),
    "flows.populate_permissions": lambda c: _then(c.tsc.flows.populate_permissions(c.flow), lambda: c.flow.permissions),
    "flows.update_permissions": lambda c: (
        _then(
            (c.tsc.flows.update_permissions(c.flow, [c.rule]), c.tsc.flows.populate_permissions(c.flow)),
            lambda: len(c.flow.permissions),
        )
        == 2
    ),
    "flow_runs.get": lambda c: (
        _then(c.tsc.flows.refresh(c.flow), lambda: [run.flow_id for run in c.tsc.flow_runs.get()]) == [c.flow.id]
    ),
    "flow_runs.get_by_id": lambda c: (
        _then(c.tsc.flows.refresh(c.flow), lambda: c.tsc.flow_runs.get_by_id(c.tsc.flow_runs.get()[0].id).flow_id)
        == c.flow.id
    ),
    "flow_runs.wait_for_job": lambda c: (
        _then(
            c.tsc.flows.refresh(c.flow),
            lambda: c.tsc.flow_runs.wait_for_job(c.tsc.flow_runs.get()[0].id, timeout=5).status,
        )
        == "Success"
    ),
    "flow_runs.cancel": lambda c: _then(
        (c.tsc.flows.refresh(c.flow), c.tsc.flow_runs.cancel(c.tsc.flow_runs.get()[0].id)), lambda: True
    ),
    "linked_tasks.get": lambda c: [task.num_steps for task in c.tsc.linked_tasks.get()[0]] == [2],
    "linked_tasks.get_by_id": lambda c: (
        c.tsc.linked_tasks.get_by_id(c.tsc.linked_tasks.get()[0][0].id).schedule.name == "Nightly flows"
    ),
    "linked_tasks.run_now": lambda c: c.tsc.linked_tasks.run_now(c.tsc.linked_tasks.get()[0][0]).status,
    "tasks.get": lambda c: {t.task_type for t in c.tsc.tasks.get()[0]} == {"FullRefresh"},
    # TSC looks for an element runFlow, and Tableau sends flowRun.
    "tasks.get flows": lambda c: c.tsc.tasks.get(task_type=tableau.TaskItem.Type.RunFlow)[0] == [],
    "tasks.get_by_id": lambda c: c.tsc.tasks.get_by_id(c.tsc.tasks.get()[0][0].id).target.type == "workbook",
    "tasks.run": lambda c: b"<job" in c.tsc.tasks.run(c.tsc.tasks.get()[0][0]),
    "tasks.delete": lambda c: (
        _then(c.tsc.tasks.delete(c.tsc.tasks.get()[0][0].id), lambda: len(c.tsc.tasks.get()[0])) == 16
    ),
    "tasks.create": lambda c: (
        b"extractRefresh"
        in c.tsc.tasks.create(
            tableau.TaskItem(
                "",
                tableau.TaskItem.Type.ExtractRefresh,
                50,
                0,
                schedule_item=tableau.ScheduleItem(
                    "x", 50, "Extract", "Parallel", tableau.DailyInterval(start_time=time(2, 0))
                ),
                target=tableau.Target(c.book.id, "workbook"),
            )
        )
    ),
    "jobs.get": lambda c: len(c.tsc.jobs.get()[0]) == 6,
    "jobs.get filtered": lambda c: [j.status for j in _filtered(c.tsc.jobs, "status", "eq", "Failed")] == ["Failed"],
    "jobs.filter": lambda c: len(list(c.tsc.jobs.filter(status="Success"))) == 5,
    "jobs.get_by_id": lambda c: (
        c.tsc.jobs.get_by_id(_filtered(c.tsc.jobs, "status", "eq", "Failed")[0].id).notes
        == ["java.lang.RuntimeException: Out of disk space"]
    ),
    "jobs.cancel": lambda c: c.tsc.jobs.cancel(c.tsc.workbooks.refresh(c.book).id) is not False,
    "jobs.wait_for_job": lambda c: c.tsc.jobs.wait_for_job(c.tsc.jobs.get()[0][0].id, timeout=5).finish_code == 0,
}


def _webhook() -> Any:
    item = tableau.WebhookItem()
    item.name, item.url, item.event = "ours", "https://example.org/hook", "datasource-created"
    return item


def _subscription(c: Client) -> Any:
    return tableau.SubscriptionItem("Weekly", "schedule", c.user.id, tableau.Target(c.view.id, "View"))


PAGED_QUERY = """query books($first: Int, $afterToken: String) {
  workbooksConnection(first: $first, after: $afterToken) { nodes { name } pageInfo { hasNextPage endCursor } }
}"""
PEOPLE: Table = {
    "users.get": lambda c: c.tsc.users.get()[1].total_available == 6,
    "users.get filtered": lambda c: (
        [u.fullname for u in _filtered(c.tsc.users, "siteRole", "eq", "Viewer")] == ["Finn O'Brien"]
    ),
    "users.get_by_id": lambda c: c.tsc.users.get_by_id(c.user.id).email == "finn@acme.example",
    "users.add": lambda c: c.tsc.users.add(tableau.UserItem("gil@acme.example", "Viewer")).site_role == "Viewer",
    "users.update": lambda c: c.tsc.users.update(_set(c.user, site_role="Creator")).site_role == "Creator",
    "users.remove": lambda c: _then(
        c.tsc.users.remove(c.user.id), lambda: _gone(lambda: c.tsc.users.get_by_id(c.user.id))
    ),
    "users.remove with heir": lambda c: (
        _then(
            c.tsc.users.remove(c.user.id, map_assets_to=c.tsc.user_id),
            lambda: c.named(c.tsc.workbooks, "Scratchpad").owner_id,
        )
        == c.tsc.user_id
    ),
    "users.populate_groups": lambda c: (
        _then(c.tsc.users.populate_groups(c.user), lambda: [g.name for g in c.user.groups]) == ["All Users"]
    ),
    "users.populate_workbooks": lambda c: (
        _then(c.tsc.users.populate_workbooks(c.user, owned_only=True), lambda: [w.name for w in c.user.workbooks])
        == ["Scratchpad"]
    ),
    "groups.get": lambda c: [g.name for g in c.tsc.groups.get()[0]] == ["All Users", "Finance Analysts", "BI Stewards"],
    "groups.populate_users": lambda c: (
        _then(c.tsc.groups.populate_users(c.group), lambda: len(list(c.group.users))) == 2
    ),
    "groups.add_user": lambda c: c.tsc.groups.add_user(c.group, c.user.id).id == c.user.id,
    "groups.add_users": lambda c: (
        c.user.id in {u.id for u in c.tsc.groups.add_users(c.group, [c.user, c.tsc.users.get()[0][1]])}
    ),
    "groups.remove_user": lambda c: (
        _then(
            (c.tsc.groups.remove_user(c.group, c.tsc.user_id), c.tsc.groups.populate_users(c.group)),
            lambda: len(list(c.group.users)),
        )
        == 1
    ),
    "groups.remove_users": lambda c: (
        _then(
            (c.tsc.groups.remove_users(c.group, [c.tsc.user_id]), c.tsc.groups.populate_users(c.group)),
            lambda: len(list(c.group.users)),
        )
        == 1
    ),
    "groups.create": lambda c: c.tsc.groups.create(tableau.GroupItem("New")).id,
    "groups.update": lambda c: c.tsc.groups.update(_set(c.group, name="Stewards")).name == "Stewards",
    "groups.delete": lambda c: _then(c.tsc.groups.delete(c.group.id), lambda: len(c.tsc.groups.get()[0])) == 2,
    "projects.get": lambda c: (
        [p.name for p in c.tsc.projects.get()[0]] == ["Default", "Finance", "Reports", "Marketing", "Operations"]
    ),
    "projects.get filtered": lambda c: (
        [p.name for p in _filtered(c.tsc.projects, "parentProjectId", "eq", c.project.id)] == ["Reports"]
    ),
    "projects.get_by_id": lambda c: c.tsc.projects.get_by_id(c.project.id).name == "Finance",
    "projects.get_by_path": lambda c: c.tsc.projects.get_by_path("Finance/Reports").name == "Reports",
    "projects.create": lambda c: (
        c.tsc.projects.create(tableau.ProjectItem("New", parent_id=c.project.id)).parent_id == c.project.id
    ),
    "projects.update": lambda c: c.tsc.projects.update(_set(c.project, name="Money")).name == "Money",
    "projects.populate_permissions": lambda c: _then(
        c.tsc.projects.populate_permissions(c.project), lambda: c.project.permissions
    ),
    "projects.delete with content": lambda c: (
        _then(c.tsc.projects.delete(c.project.id), lambda: len(c.tsc.workbooks.get()[0])) == 8
    ),
    "projects.delete": lambda c: (
        _then(
            c.tsc.projects.delete(c.tsc.projects.create(tableau.ProjectItem("New")).id),
            lambda: len(c.tsc.projects.get()[0]),
        )
        == 5
    ),
    "sites.get": lambda c: [s.content_url for s in c.tsc.sites.get()[0]] == ["acme", "branch"],
    "sites.get_by_id": lambda c: c.tsc.sites.get_by_id(c.tsc.site_id).name == "Acme",
    "sites.get_by_name": lambda c: c.tsc.sites.get_by_name("Acme").id == c.tsc.site_id,
    "sites.update": lambda c: (
        c.tsc.sites.update(_set(c.tsc.sites.get_by_id(c.tsc.site_id), name="Acme Ltd")).name == "Acme Ltd"
    ),
    "subscriptions.get": lambda c: len(c.tsc.subscriptions.get()[0]) == 3,
    "subscriptions.get_by_id": lambda c: (
        c.tsc.subscriptions.get_by_id(c.tsc.subscriptions.get()[0][0].id).subject == "Overview every Monday"
    ),
    "subscriptions.create": lambda c: c.tsc.subscriptions.create(_subscription(c)).subject == "Weekly",
    "subscriptions.update": lambda c: (
        c.tsc.subscriptions.update(_set(c.tsc.subscriptions.get()[0][0], subject="New")).subject == "New"
    ),
    "subscriptions.delete": lambda c: (
        _then(c.tsc.subscriptions.delete(c.tsc.subscriptions.get()[0][0].id), lambda: len(c.tsc.subscriptions.get()[0]))
        == 2
    ),
    "data_alerts.get": lambda c: len(c.tsc.data_alerts.get()[0]) == 2,
    "data_alerts.get_by_id": lambda c: (
        c.tsc.data_alerts.get_by_id(c.tsc.data_alerts.get()[0][0].id).frequency == "Daily"
    ),
    "data_alerts.update": lambda c: (
        c.tsc.data_alerts.update(_set(c.tsc.data_alerts.get()[0][0], subject="New")).subject == "New"
    ),
    "data_alerts.delete": lambda c: (
        _then(c.tsc.data_alerts.delete(c.tsc.data_alerts.get()[0][0]), lambda: len(c.tsc.data_alerts.get()[0])) == 1
    ),
    "data_alerts.add_user_to_alert": lambda c: (
        c.tsc.data_alerts.add_user_to_alert(c.tsc.data_alerts.get()[0][0], c.user).id == c.user.id
    ),
    "data_alerts.delete_user_from_alert": lambda c: _then(
        c.tsc.data_alerts.delete_user_from_alert(c.tsc.data_alerts.get()[0][0], c.tsc.user_id), lambda: True
    ),
    "webhooks.get": lambda c: c.tsc.webhooks.get()[0] == [],
    "webhooks.create": lambda c: c.tsc.webhooks.create(_webhook()).name == "ours",
    "webhooks.get_by_id": lambda c: (
        c.tsc.webhooks.get_by_id(c.tsc.webhooks.create(_webhook()).id).url == "https://example.org/hook"
    ),
    "webhooks.delete": lambda c: (
        _then(c.tsc.webhooks.delete(c.tsc.webhooks.create(_webhook()).id), lambda: c.tsc.webhooks.get()[0]) == []
    ),
    "metadata.query": lambda c: (
        c.tsc.metadata.query('{ workbooks(filter: {name: "Sales"}) { name } }')["data"]
        == {"workbooks": [{"name": "Sales"}]}
    ),
    "metadata.paginated_query": lambda c: (
        len(c.tsc.metadata.paginated_query(PAGED_QUERY, {"first": 5, "afterToken": None})["pages"]) == 3
    ),
    "server_info.get": lambda c: c.tsc.server_info.get().rest_api_version == "3.27",
    "auth.switch_site": lambda c: (
        _then(c.tsc.auth.switch_site(c.tsc.sites.get()[0][1]), lambda: c.tsc.workbooks.get()[0]) == []
    ),
    "auth.sign_out": lambda c: _then(c.tsc.auth.sign_out(), lambda: True),
    "auth.revoke_all_server_admin_tokens": lambda c: _then(c.tsc.auth.revoke_all_server_admin_tokens(), lambda: True),
}

# What the simulator lacks.
DEFAULTS = ("workbook", "datasource", "flow", "lens", "metric", "table", "database", "datarole", "virtualconnection")
REFUSED: Table = {
    "custom_views.get": lambda c: c.tsc.custom_views.get(),
    "custom_views.get_by_id": lambda c: c.tsc.custom_views.get_by_id("x"),
    "databases.get": lambda c: c.tsc.databases.get(),
    "databases.get_by_id": lambda c: c.tsc.databases.get_by_id("x"),
    "tables.get": lambda c: c.tsc.tables.get(),
    "tables.get_by_id": lambda c: c.tsc.tables.get_by_id("x"),
    "metrics.get": lambda c: c.tsc.metrics.get(),
    "virtual_connections.get": lambda c: c.tsc.virtual_connections.get(),
    "schedules.get": lambda c: c.tsc.schedules.get(),
    "group_sets.get": lambda c: c.tsc.group_sets.get(),
    "oidc.get": lambda c: c.tsc.oidc.get(),
    "extensions.get": lambda c: c.tsc.extensions.get(),
    "fileuploads.initiate": lambda c: c.tsc.fileuploads.initiate(),
    "favorites.get": lambda c: c.tsc.favorites.get(c.user),
    "favorites.add_favorite_workbook": lambda c: c.tsc.favorites.add_favorite_workbook(c.user, c.book),
    "favorites.delete_favorite_workbook": lambda c: c.tsc.favorites.delete_favorite_workbook(c.user, c.book),
    "workbooks.create_extract": lambda c: c.tsc.workbooks.create_extract(c.book),
    "workbooks.delete_extract": lambda c: c.tsc.workbooks.delete_extract(c.book),
    "workbooks.delete_revision": lambda c: c.tsc.workbooks.delete_revision(c.book.id, "1"),
    "workbooks.download_revision": lambda c: c.tsc.workbooks.download_revision(c.book.id, "1", str(c.folder / "x")),
    "datasources.create_extract": lambda c: c.tsc.datasources.create_extract(c.source),
    "datasources.delete_extract": lambda c: c.tsc.datasources.delete_extract(c.source),
    "datasources.delete_revision": lambda c: c.tsc.datasources.delete_revision(c.source.id, "1"),
    "datasources.download_revision": lambda c: c.tsc.datasources.download_revision(
        c.source.id, "1", str(c.folder / "x")
    ),
    "datasources.update_hyper_data": lambda c: c.tsc.datasources.update_hyper_data(
        c.source, request_id="1", actions=[]
    ),
    "flows.populate_connections": lambda c: (c.tsc.flows.populate_connections(c.flow), c.flow.connections),
    "sites.create": lambda c: c.tsc.sites.create(tableau.SiteItem("New", "new")),
    "sites.list_auth_configurations": lambda c: c.tsc.sites.list_auth_configurations(),
    "sites.encrypt_extracts": lambda c: c.tsc.sites.encrypt_extracts(c.tsc.site_id),
    "data_acceleration_report.get": lambda c: c.tsc.data_acceleration_report.get(),
    "users.populate_favorites": lambda c: c.tsc.users.populate_favorites(c.user),
    **{
        f"projects.populate_{kind}_default_permissions": cast(
            "Check",
            lambda c, kind=kind: (
                getattr(c.tsc.projects, f"populate_{kind}_default_permissions")(c.project),
                getattr(c.project, f"default_{kind}_permissions"),
            ),
        )
        for kind in DEFAULTS
    },
}
RIGHT = CONTENT | FLOWS_AND_JOBS | PEOPLE


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """Run one simulator for all rows; each row begins with its initial state."""
    with running() as started:
        yield started


@pytest.fixture
def client(shared: Running, tmp_path: Path) -> Iterator[Client]:
    """Return a client of the reset simulator."""
    shared.world.reset()
    config = shared.world.config
    auth = tableau.PersonalAccessTokenAuth(config.pat_name, config.pat_secret, site_id=config.content_url)
    server = tableau.Server(shared.url, use_server_version=True)
    server.auth.sign_in(auth)
    yield Client(server, tmp_path)
    server.session.close()


# TSC itself warns of an attribute of sites that Tableau has replaced.
@pytest.mark.filterwarnings("ignore:FlowsEnabled has been removed")
@pytest.mark.parametrize("name", RIGHT)
def test_call_is_right(client: Client, name: str) -> None:
    """The client reads the response without an error, and it has the expected content."""
    assert RIGHT[name](client)


@pytest.mark.filterwarnings("ignore:FlowsEnabled has been removed")
@pytest.mark.parametrize("name", REFUSED)
def test_call_is_refused(client: Client, name: str) -> None:
    """A call that the simulator lacks is refused as such, and is not taken for Tableau's response."""
    with pytest.raises(ServerResponseError) as refused:
        REFUSED[name](client)
    assert refused.value.code in {"404003", "405000"}
    assert refused.value.detail.startswith("The simulator does not support")
