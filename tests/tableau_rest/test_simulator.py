"""Every call against the simulator over HTTP, and sessions that it ends."""

from __future__ import annotations

import io
import json
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator import Config, Running, running
from tableau_rest import (
    AlreadyRunning,
    ConnectedApp,
    ConnectionFailed,
    Credential,
    Forbidden,
    MemorySessions,
    MetadataError,
    NotFound,
    NotIndexed,
    Password,
    PersonalAccessToken,
    ServerError,
    SignInFailed,
    Tableau,
    TooManyRequests,
    Unauthorized,
    UnknownUri,
    where,
)
from tableau_rest.job_types import BRIDGE_REFRESHES, RUN_FLOW_JOB_TYPES, SUBSCRIPTION_JOB_TYPES
from tableau_rest.models import Content

NOWHERE = "00000000-0000-4000-8000-000000000000"
CONFIG = Config(refresh_seconds=0, retry_waits=(0.05,))
PAT = PersonalAccessToken(CONFIG.pat_name, CONFIG.pat_secret)
PASSWORD = Password(CONFIG.username, CONFIG.password)
APP = ConnectedApp(CONFIG.ca_client, CONFIG.ca_secret_id, CONFIG.ca_secret_value, CONFIG.username)


@pytest.fixture
def simulated() -> Iterator[Running]:
    """Run a new simulator for each test."""
    with running(CONFIG) as simulated:
        yield simulated


def client_of(simulated: Running, credential: Credential = PAT, **more: Any) -> Tableau:
    more = {"sessions": MemorySessions(), "sleep": lambda _: None} | more
    return Tableau(simulated.url, CONFIG.content_url, credential, **more)


@pytest.fixture
def tableau(simulated: Running) -> Iterator[Tableau]:
    """Return a client with a PAT."""
    with client_of(simulated) as tableau:
        yield tableau


def control(simulated: Running, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
    """Call the HTTP API of the simulator."""
    data = None if method == "GET" else json.dumps(body or {}).encode()
    with urllib.request.urlopen(
        urllib.request.Request(f"{simulated.url}/simulator/{path}", data, method=method)
    ) as got:
        return json.load(got)


def sign_ins(simulated: Running) -> int:
    """Return the number of sign-ins."""
    return len(control(simulated, "calls?path=signin&limit=1000", method="GET")["calls"])


# --- signing in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", [PAT, PASSWORD, APP], ids=["pat", "password", "jwt"])
def test_each_credential_signs_in(simulated: Running, credential: Credential) -> None:
    """A PAT, a password and a connected app's JWT all give access to workbooks."""
    with client_of(simulated, credential) as tableau:
        assert len(list(tableau.workbooks())) > 3
        assert tableau.user(tableau.session().user_luid).name == CONFIG.username


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        (PersonalAccessToken(CONFIG.pat_name, "wrong"), "15 days"),
        (Password(CONFIG.username, "wrong"), "MFA"),
        (
            ConnectedApp("no-app", CONFIG.ca_secret_id, CONFIG.ca_secret_value, CONFIG.username),
            "not found or is disabled",
        ),
        (ConnectedApp(CONFIG.ca_client, "no-id", CONFIG.ca_secret_value, CONFIG.username), "secret id was not found"),
        (ConnectedApp(CONFIG.ca_client, CONFIG.ca_secret_id, "x" * 40, CONFIG.username), "secret value"),
        (ConnectedApp(CONFIG.ca_client, CONFIG.ca_secret_id, CONFIG.ca_secret_value, "nobody"), "case-sensitive"),
    ],
    ids=["pat", "password", "app", "secret-id", "secret-value", "user"],
)
def test_a_refused_credential_comes_with_advice(simulated: Running, credential: Credential, said: str) -> None:
    """Each refusal is permanent and says what to check."""
    with client_of(simulated, credential) as tableau, pytest.raises(SignInFailed, match=said) as raised:
        next(tableau.workbooks())
    assert raised.value.permanent


def test_a_wrong_site_is_named(simulated: Running) -> None:
    """The error contains the site."""
    with (
        Tableau(simulated.url, "nowhere", PAT, sessions=MemorySessions()) as tableau,
        pytest.raises(SignInFailed) as raised,
    ):
        tableau.session()
    assert "'nowhere'" in str(raised.value)


def test_the_spare_secret_is_used_if_the_first_is_refused(simulated: Running) -> None:
    """The secret of a connected app can be rotated without an interruption."""
    gone = ConnectedApp(
        CONFIG.ca_client, "deleted-id", "d" * 40, CONFIG.username, spare=(CONFIG.ca_secret_id, CONFIG.ca_secret_value)
    )
    with client_of(simulated, gone) as tableau:
        assert tableau.session().user_luid


def test_a_wrong_clock_is_mentioned(simulated: Running) -> None:
    """A JWT made in the past is refused; the advice names the difference of the clocks."""
    late = datetime.now(UTC) - timedelta(hours=1)
    with client_of(simulated, APP, clock=lambda: late) as tableau, pytest.raises(SignInFailed, match="60 minutes"):
        tableau.session()


def test_a_missing_scope_is_named(simulated: Running) -> None:
    """The error names the scope that the call needs."""
    narrow = ConnectedApp(
        CONFIG.ca_client, CONFIG.ca_secret_id, CONFIG.ca_secret_value, CONFIG.username, scopes=("tableau:content:read",)
    )
    with client_of(simulated, narrow) as tableau:
        book = next(tableau.workbooks())
        with pytest.raises((Unauthorized, Forbidden), match="tableau:tasks:run"):
            tableau.refresh_workbook(book)
        with pytest.raises((Unauthorized, Forbidden), match="personal access token"):
            list(tableau.webhooks())


def test_the_generic_host_leads_to_the_pod(simulated: Running) -> None:
    """A 301 at sign-in is followed with a POST, and later calls go to the new host."""
    pod = simulated.url.replace("127.0.0.1", "localhost")
    control(simulated, "faults", {"kind": "redirect", "path": "auth/signin", "times": 1, "location": pod})
    with client_of(simulated) as tableau:
        assert list(tableau.workbooks())
        assert tableau.session().server == pod


# --- the session --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["401000", "401002", "403", "html", "empty"])
def test_an_ended_session_in_any_form_is_renewed(simulated: Running, tableau: Tableau, form: str) -> None:
    """The call succeeds, with one more sign-in at most."""
    book = next(tableau.workbooks())
    control(simulated, "sessions/expire")
    control(simulated, "faults", {"kind": "unauthorized", "form": form, "times": 1, "path": "workbooks"})
    assert tableau.workbook(book).luid == book.luid
    assert sign_ins(simulated) == 2


def test_two_hundred_calls_on_an_expired_session_sign_in_once(simulated: Running, tableau: Tableau) -> None:
    """Any number of threads may find the session expired at the same moment."""
    book = next(tableau.workbooks())
    control(simulated, "sessions/expire")
    with ThreadPoolExecutor(50) as pool:
        names = set(pool.map(lambda _: tableau.workbook(book).name, range(200)))
    assert names == {book.name}
    assert sign_ins(simulated) == 2


def test_two_clients_with_one_token_do_not_end_each_others_session(simulated: Running) -> None:
    """With a shared store, a hundred calls in turn need one sign-in, and each expiry one more."""
    store = MemorySessions()
    with client_of(simulated, sessions=store) as one, client_of(simulated, sessions=store) as other:
        book = next(one.workbooks())
        for turn in range(50):
            if turn % 25 == 24:
                control(simulated, "sessions/expire")
            one.workbook(book)
            other.workbook(book)
    assert sign_ins(simulated) == 3


# --- content ------------------------------------------------------------------------------------------------------


def test_content_is_listed_and_read(tableau: Tableau) -> None:
    """Workbooks, data sources, views, flows, projects, users, groups and the site are read as a list and one by one."""
    for listed, read in (
        (tableau.workbooks, tableau.workbook),
        (tableau.datasources, tableau.datasource),
        (tableau.views, tableau.view),
        (tableau.flows, tableau.flow),
        (tableau.projects, tableau.project),
        (tableau.users, tableau.user),
    ):
        found: Any = list(listed())  # type: ignore[operator]
        assert found, listed
        assert read(found[0]).name == found[0].name  # type: ignore[operator]
        assert len({item.luid for item in found}) == len(found)
    groups = list(tableau.groups())
    assert groups
    assert any(list(tableau.group_users(group)) for group in groups)
    assert tableau.site().content_url == CONFIG.content_url
    assert tableau.server_info().rest_api_version == CONFIG.api_version


def test_lists_are_paged_filtered_and_sorted(simulated: Running, tableau: Tableau) -> None:
    """Small pages return the same list; Tableau filters and sorts."""
    every = [book.luid for book in tableau.workbooks(sort="name:asc")]
    assert [book.luid for book in tableau.workbooks(sort="name:asc", page_size=2)] == every
    name = next(tableau.workbooks()).name
    assert {book.name for book in tableau.workbooks(where("name", "eq", name))} == {name}
    names = [book.name for book in tableau.workbooks(sort="name:desc")]
    assert names == sorted(names, key=str.lower, reverse=True)


@pytest.mark.parametrize("kind", ["strings", "single", "bare", "lists", "empty"])
def test_every_shape_of_json_is_read(simulated: Running, tableau: Tableau, kind: str) -> None:
    """Numbers may be strings, a list one item or without a wrapper, and nothing may be [] or {}."""
    calls: list[Callable[[], Any]] = [
        lambda: list(tableau.workbooks()),
        lambda: list(tableau.jobs()),
        lambda: list(tableau.webhooks()),
        lambda: list(tableau.extract_refresh_tasks()),
        lambda: list(tableau.flow_tasks()),
        lambda: list(tableau.flow_runs()),
        lambda: list(tableau.linked_tasks()),
        lambda: list(tableau.subscriptions()),
        lambda: list(tableau.data_alerts()),
        lambda: tableau.labels("workbook", book),
        lambda: tableau.quality_warnings("datasource", source),
        lambda: tableau.permissions(book),
        lambda: tableau.workbook_connections(book),
    ]
    book, source = next(tableau.workbooks()), next(tableau.datasources())
    tableau.put_label("workbook", book, "stale")
    tableau.add_quality_warning("datasource", source, "late")
    tableau.run_flow(next(tableau.flows()))
    plain = [call() for call in calls]
    control(simulated, "faults", {"kind": kind})
    shaped = [call() for call in calls]
    for before, after in zip(plain, shaped, strict=True):
        assert after == (type(before)() if kind == "empty" else before)


def test_content_is_updated(tableau: Tableau) -> None:
    """Owner, project, name and certification; fields that are not given stay."""
    book, source = next(tableau.workbooks()), next(tableau.datasources())
    project = next(project for project in tableau.projects() if project.luid != book.project.luid)
    owner = next(user for user in tableau.users() if user.luid != book.owner.luid)
    tableau.update_workbook(book, owner=owner, project=project, name="New name")
    changed = tableau.workbook(book)
    assert (changed.owner.luid, changed.project.luid, changed.name) == (owner.luid, project.luid, "New name")
    tableau.certify_datasource(source, "checked")
    assert tableau.datasource(source).is_certified
    assert not tableau.update_datasource(source, is_certified=False).is_certified
    with pytest.raises(ValueError, match="nothing to change"):
        tableau.update_workbook(book)


def test_content_is_deleted(tableau: Tableau) -> None:
    """It is not found afterwards."""
    book, source, view = next(tableau.workbooks()), next(tableau.datasources()), None
    view = tableau.workbook(list(tableau.workbooks())[1]).views[0]
    tableau.delete_view(view)
    tableau.delete_workbook(book)
    tableau.delete_datasource(source)
    for gone in (lambda: tableau.workbook(book), lambda: tableau.datasource(source), lambda: tableau.view(view)):
        with pytest.raises(NotFound):
            gone()


def test_tags_are_added_and_removed(tableau: Tableau) -> None:
    """A tag with a space in it stays one tag."""
    book = next(tableau.workbooks())
    assert {"badly named", "x"} <= set(tableau.add_tags(book, ["badly named", "x"]))
    tableau.delete_tag(book, "badly named")
    assert "badly named" not in tableau.workbook(book).tags
    assert "y" in tableau.add_tags(Content("datasource", next(tableau.datasources()).luid), ["y"])
    books = list(tableau.workbooks())[:2]
    tableau.add_tags_to(books, ["batch one"])
    assert all("batch one" in tableau.workbook(book).tags for book in books)
    tableau.delete_tags_from(books, ["batch one"])
    assert not any("batch one" in tableau.workbook(book).tags for book in books)


def test_labels_and_quality_warnings_are_added_and_removed(tableau: Tableau) -> None:
    """Both the new API and the old one work."""
    book, source = next(tableau.workbooks()), next(tableau.datasources())
    (label,) = tableau.put_label("workbook", book, "stale", message="since Monday", elevated=True)
    assert (label.value, label.message, label.elevated, label.content) == (
        "stale",
        "since Monday",
        True,
        Content("workbook", book.luid),
    )
    assert tableau.labels("workbook", book) == (label,)
    tableau.delete_label(label)
    assert tableau.labels("workbook", book) == ()
    (warning,) = tableau.add_quality_warning("datasource", source, "late", type="STALE", is_severe=True)
    assert (warning.type, warning.message, warning.is_severe) == ("STALE", "late", True)
    assert tableau.quality_warnings("datasource", source) == (warning,)
    tableau.delete_quality_warnings("datasource", source)
    assert tableau.quality_warnings("datasource", source) == ()


def test_permissions_connections_and_subscriptions_are_read(tableau: Tableau) -> None:
    """These are read only."""
    book = next(tableau.workbooks())
    permissions = tableau.permissions(book)
    assert {permission.mode for permission in permissions} <= {"Allow", "Deny"}
    assert all(permission.grantee_luid and permission.capability for permission in permissions)
    assert tableau.workbook_connections(book)[0].type
    assert tableau.datasource_connections(next(tableau.datasources()))[0].type
    assert next(tableau.subscriptions()).subject
    alert = next(tableau.data_alerts())
    assert tableau.data_alert(alert).recipients


# --- work ---------------------------------------------------------------------------------------------------------


def test_a_refresh_is_started_and_followed(tableau: Tableau) -> None:
    """Its job ends; incremental ones are requested as such."""
    book = next(book for book in tableau.workbooks() if book.has_extracts)
    job = tableau.wait_for_job(tableau.refresh_workbook(book), sleep=lambda _: None)
    assert (job.status, job.content) == ("Success", Content("workbook", book.luid))
    source = next(source for source in tableau.datasources() if source.has_extracts)
    assert tableau.refresh_datasource(source, incremental=True).luid
    assert any(listed.luid == job.luid for listed in tableau.jobs(where("status", "eq", "Success")))


def test_a_refresh_that_is_running_has_an_error_of_its_own(simulated: Running, tableau: Tableau) -> None:
    """409093 is AlreadyRunning, and the job can be cancelled."""
    control(simulated, "settings", {"refresh_seconds": 60})
    book = next(book for book in tableau.workbooks() if book.has_extracts)
    job = tableau.refresh_workbook(book)
    with pytest.raises(AlreadyRunning):
        tableau.refresh_workbook(book)
    tableau.cancel_job(job)
    assert tableau.job(job).status == "Cancelled"


def test_the_reason_of_a_failed_refresh_is_found(simulated: Running, tableau: Tableau) -> None:
    """LUID, name and time of the event are enough."""
    event = control(simulated, "events", {"event_type": "WorkbookRefreshFailed", "reason": "Login failed for 'sa'"})
    payload = event["event"]
    at = datetime.fromisoformat(payload["created_at"])
    job = tableau.failed_job(payload["resource_luid"], name=payload["resource_name"], at=at)
    assert job is not None
    assert "Login failed for 'sa'" in job.notes
    assert tableau.failed_job(NOWHERE, name=payload["resource_name"], at=at) is None


def test_a_job_that_appears_late_is_found(simulated: Running, tableau: Tableau) -> None:
    """One query finds nothing, polling does."""
    control(simulated, "faults", {"kind": "late_jobs", "form": "absent", "seconds": 0.3})
    payload = control(simulated, "events", {"event_type": "WorkbookRefreshFailed", "reason": "late"})["event"]
    about: dict[str, Any] = {
        "name": payload["resource_name"],
        "at": datetime.fromisoformat(payload["created_at"]),
    }
    luid = payload["resource_luid"]
    assert tableau.failed_job(luid, **about) is None
    job = tableau.find_failed_job(luid, **about, wait=60, sleep=lambda _: time.sleep(0.2))
    assert job is not None
    assert "late" in job.notes


def test_tasks_and_flows_are_run(tableau: Tableau) -> None:
    """Scheduled refreshes, flows, their runs, linked tasks."""
    task = next(tableau.extract_refresh_tasks())
    assert task.content is not None
    assert tableau.run_extract_refresh_task(task).luid
    flow = next(tableau.flows())
    job = tableau.run_flow(flow)
    assert tableau.job(job).content == Content("flow", flow.luid)
    run = next(tableau.flow_runs())
    assert tableau.flow_run(run).flow_luid == flow.luid
    tableau.cancel_flow_run(run)
    assert tableau.run_flow_task(next(tableau.flow_tasks())).luid
    linked = next(tableau.linked_tasks())
    assert tableau.linked_task(linked) == linked
    assert linked.steps == len(linked.flows)
    assert tableau.run_linked_task(linked)


def test_what_has_no_webhook_is_in_the_list_of_jobs(simulated: Running, tableau: Tableau) -> None:
    """Flow runs, subscriptions and refreshes by Bridge; the single job has the content and the reason."""
    kinds = {"FlowRunFailed": "flow", "SubscriptionFailed": "subscription", "BridgeRefreshFailed": "datasource"}
    for event_type, kind in kinds.items():
        caused = control(simulated, "events", {"event_type": event_type, "reason": "no disk"})
        assert caused["deliveries"] == 0
        types = (*RUN_FLOW_JOB_TYPES, *SUBSCRIPTION_JOB_TYPES, *BRIDGE_REFRESHES)
        (listed, *_) = tableau.jobs_of_types(types, where("title", "eq", caused["event"]["resource_name"]))
        job = tableau.job(listed)
        assert (listed.status, job.status, job.notes) == ("Failed", "Failed", "no disk")
        assert job.content == Content(kind, caused["event"]["resource_luid"])
    subscription = next(tableau.subscriptions())
    assert tableau.subscription(subscription) == subscription
    assert subscription.content is not None
    assert (subscription.content.kind, bool(subscription.user.name)) == ("view", True)


def test_webhooks_are_managed(tableau: Tableau) -> None:
    """Create, list, get, disable with a reason, enable, delete."""
    hook = tableau.create_webhook("failures", "WorkbookRefreshFailed", "https://hooks.example.org/t/s3cr3t")
    assert (hook.event, hook.is_enabled, hook.url) == (
        "WorkbookRefreshFailed",
        True,
        "https://hooks.example.org/t/s3cr3t",
    )
    assert hook.luid in {one.luid for one in tableau.webhooks()}
    off = tableau.update_webhook(hook, is_enabled=False, reason="maintenance")
    assert (off.is_enabled, off.reason, off.url) == (False, "maintenance", hook.url)
    assert tableau.update_webhook(hook, is_enabled=True, name="again").name == "again"
    with pytest.raises(ValueError, match="reason"):
        tableau.update_webhook(hook, is_enabled=True, reason="no")
    tableau.delete_webhook(hook)
    with pytest.raises(NotFound):
        tableau.webhook(hook)


def test_a_webhook_is_tested(simulated: Running, tableau: Tableau) -> None:
    """If no receiver responds, the result is 408."""
    hook = tableau.create_webhook("dead", "WorkbookCreated", "http://127.0.0.1:9/hook")
    assert not tableau.test_webhook(hook).ok
    with pytest.raises(NotFound):
        tableau.test_webhook(NOWHERE)


# --- lineage ------------------------------------------------------------------------------------------------------


def test_lineage_is_returned(tableau: Tableau) -> None:
    """The workbooks that use a data source, and the data sources that a workbook uses."""
    fed = [down for down in map(tableau.downstream_workbooks, tableau.datasources()) if down.workbooks]
    assert fed
    dependent = fed[0].workbooks[0]
    assert fed[0].complete
    assert dependent.owner_name
    up = tableau.upstream(dependent.luid)
    assert fed[0].luid in {source.luid for source in up.datasources}
    paged = tableau._downstream_in_pages(fed[0].luid).workbooks
    assert [item.luid for item in paged] == [book.luid for book in fed[0].workbooks]


def test_unknown_content_is_not_indexed(tableau: Tableau) -> None:
    """The error is not permanent and says when to query again."""
    with pytest.raises(NotIndexed) as raised:
        tableau.downstream_workbooks(NOWHERE)
    assert not raised.value.permanent
    assert raised.value.retry_at is not None


def test_a_wrong_query_is_an_error(tableau: Tableau) -> None:
    """Its status is 200; the errors in the response decide."""
    assert tableau.metadata("{ workbooks { name } }")["workbooks"]
    with pytest.raises(MetadataError) as raised:
        tableau.metadata("{ nonsense { name } }")
    assert raised.value.permanent


# --- exports ------------------------------------------------------------------------------------------------------


def test_exports_are_files(tableau: Tableau, tmp_path: Path) -> None:
    """Each kind has the first bytes of its format."""
    book = tableau.workbook(next(tableau.workbooks()))
    view = book.views[0]
    assert tableau.workbook_preview_image(book).startswith(b"\x89PNG")
    assert tableau.view_preview_image(book, view).startswith(b"\x89PNG")
    assert tableau.view_image(view, max_age=1, filters={"Region": ["East", "West"]}).read().startswith(b"\x89PNG")
    assert tableau.view_image(view, width=300, height=200).read().startswith(b"\x89PNG")
    assert tableau.view_pdf(view, type="A4", orientation="Landscape").read().startswith(b"%PDF")
    assert tableau.workbook_pdf(book).read().startswith(b"%PDF")
    assert b"," in tableau.view_csv(view).read()
    for office in (tableau.view_crosstab(view), tableau.workbook_powerpoint(book)):
        assert zipfile.ZipFile(io.BytesIO(office.read())).namelist()
    saved = tableau.view_pdf(view).save(tmp_path / "view.pdf")
    assert saved.read_bytes().startswith(b"%PDF")
    assert list(tmp_path.iterdir()) == [saved]
    for download in (
        tableau.download_workbook(book, include_extract=False),
        tableau.download_datasource(next(tableau.datasources())),
    ):
        assert download.read()


@pytest.mark.parametrize(
    "wrong",
    [
        {"resolution": "low"},
        {"width": 300},
        {"width": 0, "height": 100},
        {"max_age": 0},
        {"filters": {"Region": "a,b"}},
        {"filters": {"": "x"}},
        {"format": "GIF"},
    ],
)
def test_an_export_with_wrong_parameters_is_refused(
    simulated: Running, tableau: Tableau, wrong: dict[str, Any]
) -> None:
    """It raises ValueError before any request."""
    with pytest.raises(ValueError, match=r"cannot|together|must be"):
        tableau.view_image(NOWHERE, **wrong)
    assert sign_ins(simulated) == 0


def test_a_failed_export_leaves_no_file(simulated: Running, tableau: Tableau, tmp_path: Path) -> None:
    """There is neither a new file nor a damaged old one."""
    old = tmp_path / "old.pdf"
    old.write_bytes(b"old")
    control(simulated, "faults", {"kind": "html", "path": "pdf"})
    for target in (old, tmp_path / "new.pdf"):
        with pytest.raises(ServerError):
            tableau.view_pdf(next(tableau.views())).save(target)
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_bytes() == b"old"


def test_the_limit_of_twenty_exports_is_kept(simulated: Running, tableau: Tableau) -> None:
    """Sixty threads export, and Tableau never has to refuse one."""
    control(simulated, "faults", {"kind": "delay", "path": "/image", "seconds": 0.05})
    view = next(tableau.views())
    with ThreadPoolExecutor(60) as pool:
        images = list(pool.map(lambda _: tableau.view_image(view).read()[:4], range(60)))
    assert set(images) == {b"\x89PNG"}


# --- trouble ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [True, False])
def test_429_says_when_to_retry(simulated: Running, tableau: Tableau, header: bool) -> None:
    """The header says so, or the minutes in the text."""
    book = next(tableau.workbooks())
    control(simulated, "faults", {"kind": "throttled", "seconds": 1740, "header": header, "path": "refresh"})
    with pytest.raises(TooManyRequests) as raised:
        tableau.refresh_workbook(book)
    assert raised.value.retry_at is not None
    wait = raised.value.retry_at - datetime.now(UTC)
    assert timedelta(minutes=28) < wait < timedelta(minutes=30)


def test_only_safe_requests_are_repeated_after_a_broken_connection(simulated: Running, tableau: Tableau) -> None:
    """Reads and sign-ins succeed; a request that may have been executed is not sent twice."""
    control(simulated, "faults", {"kind": "refuse", "path": "signin", "times": 1})
    control(simulated, "faults", {"kind": "refuse", "path": "workbooks", "times": 2})
    assert list(tableau.workbooks())
    control(simulated, "faults", {"kind": "lost", "path": "webhooks", "method": "POST", "times": 1})
    with pytest.raises(ConnectionFailed) as raised:
        tableau.create_webhook("once", "WorkbookCreated", "https://hooks.example.org/x")
    assert not raised.value.permanent
    assert [hook.name for hook in tableau.webhooks()].count("once") == 1


def test_an_old_server_leads_to_the_version_a_call_needs() -> None:
    """Labels do not exist before 3.21."""
    said = pytest.raises(UnknownUri, match=r"needs REST API 3\.21; this server is used with 3\.19")
    with running(Config(api_version="3.19")) as old, client_of(old) as tableau, said:
        tableau.labels("workbook", NOWHERE)


# --- keep-alive and the official client ---------------------------------------------------------------------------


def test_keep_alive_signs_in_only_if_needed(simulated: Running, tableau: Tableau) -> None:
    """It uses a valid session, and signs in after an ended one."""
    first = tableau.keep_alive()
    assert tableau.keep_alive() == first
    control(simulated, "sessions/expire")
    assert tableau.keep_alive().signed_in_at > first.signed_in_at
    assert tableau.keep_alive().first_used_at == first.first_used_at
    assert sign_ins(simulated) == 2


def test_the_official_client_uses_the_shared_session(simulated: Running, tableau: Tableau) -> None:
    """It reads, survives an expiry, and neither signs in nor ends the session of others."""
    server = tableau.as_tsc()
    books, _ = server.workbooks.get()
    assert {book.id for book in books} == {book.luid for book in tableau.workbooks()}
    control(simulated, "sessions/expire")
    server.views.get()
    with server.auth.sign_in(None):  # type: ignore[arg-type]
        server.jobs.get()
    server.auth.sign_out()
    assert list(tableau.workbooks())
    assert sign_ins(simulated) == 2
    server.close()
