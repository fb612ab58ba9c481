"""Tableau's own client with exports, tasks, permissions, warnings, lineage and publishing."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
import tableauserverclient as tableau

from simulator import Running


def _first(endpoint: Any) -> Any:
    return endpoint.get()[0][0]


def test_tsc_exports_a_view(tsc: tableau.Server) -> None:
    """Image, PDF, CSV and crosstab of a view have their formats."""
    view = _first(tsc.views)
    tsc.views.populate_image(view, tableau.ImageRequestOptions(imageresolution="high", maxage=1))
    tsc.views.populate_pdf(view)
    tsc.views.populate_csv(view)
    tsc.views.populate_excel(view)
    assert view.image.startswith(b"\x89PNG")
    assert view.pdf.startswith(b"%PDF-1.4")
    assert b"".join(view.csv).startswith(b"Region,Month,Sales\nNorth,January,")
    sheet = zipfile.ZipFile(io.BytesIO(b"".join(view.excel))).read("xl/worksheets/sheet1.xml")
    assert b"<t>North</t>" in sheet
    tsc.views.populate_preview_image(view)
    assert view.preview_image.startswith(b"\x89PNG")


def test_tsc_exports_a_workbook(tsc: tableau.Server, tmp_path: Any) -> None:
    """A workbook is exported as PDF, PowerPoint and file."""
    workbook = _first(tsc.workbooks)
    tsc.workbooks.populate_pdf(workbook)
    tsc.workbooks.populate_powerpoint(workbook)
    assert workbook.pdf.count(b"/Type /Page ") == 3
    assert "ppt/media/image3.png" in zipfile.ZipFile(io.BytesIO(workbook.powerpoint)).namelist()
    assert zipfile.is_zipfile(tsc.workbooks.download(workbook.id, str(tmp_path / "sales")))


def test_tsc_runs_extract_tasks(simulator: Running, tsc: tableau.Server) -> None:
    """Tasks are listed, read, run and deleted."""
    tasks, _ = tsc.tasks.get()
    kinds = {task.target.type for task in tasks}
    assert (len(tasks), kinds) == (17, {"workbook", "datasource"})
    assert tsc.tasks.get_by_id(tasks[0].id).consecutive_failed_count == 0
    assert b"extractRefreshJob" in tsc.tasks.run(tasks[0])
    assert simulator.world.timer.settle(60)
    tsc.tasks.delete(tasks[0].id)
    assert len(tsc.tasks.get()[0]) == 16


def test_tsc_runs_flows(tsc: tableau.Server) -> None:
    """A flow is run, and its run is read."""
    flow = _first(tsc.flows)
    job = tsc.flows.refresh(flow)
    tsc.jobs.wait_for_job(job.id, timeout=5)
    runs = tsc.flow_runs.get()
    assert [(run.flow_id, run.status) for run in runs] == [(flow.id, "Success")]
    assert tsc.flow_runs.get_by_id(runs[0].id).background_job_id == job.id


def test_tsc_runs_linked_tasks(tsc: tableau.Server) -> None:
    """Linked tasks are listed and run."""
    linked, _ = tsc.linked_tasks.get()
    assert linked[0].num_steps == 2
    assert tsc.linked_tasks.run_now(linked[0]).linked_task_id == linked[0].id


def test_tsc_cancels_a_job(simulator: Running, tsc: tableau.Server) -> None:
    """A running job can be cancelled."""
    simulator.world.set({"refresh_seconds": 60})
    job = tsc.datasources.refresh(_first(tsc.datasources))
    tsc.jobs.cancel(job.id)
    assert tsc.jobs.get_by_id(job.id).finish_code == 2


def test_tsc_cannot_start_a_second_refresh(simulator: Running, tsc: tableau.Server) -> None:
    """A second refresh of the same content is refused with 409093."""
    simulator.world.set({"refresh_seconds": 60})
    workbook = _first(tsc.workbooks)
    tsc.workbooks.refresh(workbook)
    # TSC turns the conflict into a warning.
    assert tsc.workbooks.refresh(workbook) is None


def test_tsc_reads_permissions(tsc: tableau.Server) -> None:
    """Permissions are read, added and removed."""
    workbook = _first(tsc.workbooks)
    tsc.workbooks.populate_permissions(workbook)
    assert workbook.permissions[0].capabilities["Read"] == "Allow"
    user = _first(tsc.users)
    rule = tableau.PermissionsRule(user.to_reference(), {"ExportData": "Deny"})
    tsc.workbooks.update_permissions(workbook, [rule])
    tsc.workbooks.populate_permissions(workbook)
    assert rule in workbook.permissions
    tsc.workbooks.delete_permission(workbook, rule)
    tsc.workbooks.populate_permissions(workbook)
    assert rule not in workbook.permissions


def test_tsc_manages_data_quality_warnings(tsc: tableau.Server) -> None:
    """A data quality warning is added, read and cleared."""
    source = _first(tsc.datasources)
    warning = tableau.DQWItem("WARNING", "late today", True, True)
    tsc.datasources.add_dqw(source, warning)
    tsc.datasources.populate_dqw(source)
    assert [(found.warning_type, found.message, found.severe) for found in source.dqws] == [
        ("WARNING", "late today", True)
    ]
    tsc.datasources.delete_dqw(source)
    tsc.datasources.populate_dqw(source)
    assert source.dqws == []


def test_tsc_reads_subscriptions_and_alerts(tsc: tableau.Server) -> None:
    """Subscriptions and data alerts are listed."""
    assert tsc.subscriptions.get()[0][0].target.type == "View"
    alert = tsc.data_alerts.get()[0][0]
    assert (alert.workbook_name, len(alert.recipients)) == ("Cash Flow", 2)
    assert tsc.data_alerts.get_by_id(alert.id).subject == alert.subject


@pytest.mark.parametrize(
    ("event_type", "job_type"),
    [
        ("FlowRunFailed", "run_flow"),
        ("SubscriptionFailed", "single_subscription_notify"),
        ("BridgeRefreshFailed", "refresh_extracts_via_bridge"),
    ],
)
def test_tsc_reads_jobs_without_webhooks(tsc: tableau.Server, control: Any, event_type: str, job_type: str) -> None:
    """Failed flows, subscriptions and Bridge refreshes are in the list of jobs, with the reason in the single one."""
    caused = control("POST", "events", {"event_type": event_type, "reason": "no disk"})["event"]
    options = tableau.RequestOptions()
    options.filter.add(tableau.Filter("jobType", "eq", job_type))
    options.filter.add(tableau.Filter("completedAt", "gte", "2020-01-01T00:00:00Z"))
    ((listed,), _) = tsc.jobs.get(req_options=options)
    assert (listed.status, listed.title) == ("Failed", caused["resource_name"])
    job = tsc.jobs.get_by_id(listed.id)
    assert (job.finish_code, job.notes) == (1, ["no disk"])
    if event_type == "SubscriptionFailed":
        assert tsc.subscriptions.get_by_id(caused["resource_luid"]).subject == caused["resource_name"]
    else:
        assert caused["resource_luid"] in {job.datasource_id, job.flow_run and job.flow_run.flow_id}


def test_tsc_manages_users_and_groups(tsc: tableau.Server) -> None:
    """A user is promoted, added to a group and removed."""
    users = {user.fullname: user for user in tsc.users.get()[0]}
    finn = users["Finn O'Brien"]
    finn.site_role = "SiteAdministratorExplorer"
    tsc.users.update(finn)
    assert tsc.users.get_by_id(finn.id).site_role == "SiteAdministratorExplorer"
    stewards = next(group for group in tsc.groups.get()[0] if group.name == "BI Stewards")
    tsc.groups.add_user(stewards, finn.id)
    tsc.groups.populate_users(stewards)
    assert finn.id in [user.id for user in stewards.users]
    tsc.users.remove(finn.id)
    with pytest.raises(tableau.ServerResponseError, match="404002"):
        tsc.users.get_by_id(finn.id)


def test_tsc_reads_lineage(tsc: tableau.Server) -> None:
    """The Metadata API returns the workbooks of a data source."""
    orders = next(source for source in tsc.datasources.get()[0] if source.name == "Orders")
    query = """query($id: String!) { publishedDatasources(filter: {luid: $id}) {
        name downstreamWorkbooks { luid name projectName owner { name email } } } }"""
    response = tsc.metadata.query(query, {"id": orders.id}, abort_on_error=True)
    books = response["data"]["publishedDatasources"][0]["downstreamWorkbooks"]
    assert [book["name"] for book in books] == ["Sales", "Delivery Times", "Stock & Reorder", "Store Map"]
    assert books[0]["owner"]["email"] == "ben@acme.example"


def test_tsc_pages_through_lineage(tsc: tableau.Server) -> None:
    """Connections have pages with a cursor."""
    query = """query($first: Int, $afterToken: String) { workbooksConnection(first: $first, after: $afterToken) {
        nodes { name } pageInfo { hasNextPage endCursor } } }"""
    pages = tsc.metadata.paginated_query(query, {"first": 5, "afterToken": None})["pages"]
    assert [len(page["data"]["workbooksConnection"]["nodes"]) for page in pages] == [5, 5, 2]


def test_tsc_switches_sites(tsc: tableau.Server) -> None:
    """The session switches to the other site with a new token."""
    branch = tableau.SiteItem("Branch", "branch")
    tsc.auth.switch_site(branch)
    assert tsc.workbooks.get()[0] == []
    tsc.auth.sign_out()


def test_tsc_publishes_a_workbook(tsc: tableau.Server, tmp_path: Any) -> None:
    """A file is published once, refused under the same name, and published again with overwrite."""
    path = tmp_path / "churn.twbx"
    path.write_bytes(b"PK\x03\x04 anything")
    finance = next(project for project in tsc.projects.get()[0] if project.name == "Finance")
    workbook = tableau.WorkbookItem(finance.id, name="Churn")
    made = tsc.workbooks.publish(workbook, str(path), "CreateNew")
    assert (made.name, made.project_name, made.owner_id) == ("Churn", "Finance", tsc.user_id)
    with pytest.raises(tableau.ServerResponseError, match="403130"):
        tsc.workbooks.publish(workbook, str(path), "CreateNew")
    assert tsc.workbooks.publish(workbook, str(path), "Overwrite").id == made.id
    tsc.workbooks.populate_revisions(made)
    assert [revision.revision_number for revision in made.revisions] == ["1", "2"]


def test_tsc_publishes_as_a_job(tsc: tableau.Server, tmp_path: Any) -> None:
    """With as_job the response is a job that TSC can wait for."""
    path = tmp_path / "churn.twbx"
    path.write_bytes(b"PK\x03\x04 anything")
    project = tsc.projects.get()[0][0]
    job = tsc.workbooks.publish(tableau.WorkbookItem(project.id, name="Churn"), str(path), "CreateNew", as_job=True)
    assert tsc.jobs.wait_for_job(job.id, timeout=5).finish_code == 0
    assert "Churn" in [workbook.name for workbook in tsc.workbooks.get()[0]]
