"""The API: what it returns, what it does, whom it serves, and what it refuses."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from tests.dashboard.conftest import BASIC, SITE, fail, services_of
from webhooks.access.visitors import ROLES, permits
from webhooks.api.blueprint import PREFIX, ROUTES
from webhooks.api.operations import OPERATIONS, Operation
from webhooks.clock import utc_now
from webhooks.event import MAX_BYTES
from webhooks.inbox import Inbox, Resource
from webhooks.incidents import Act
from webhooks.job import NewJob
from webhooks.views.limits import Limits
from webhooks.watches.expectation import Expectation

SOON = (utc_now() + timedelta(days=7)).isoformat()
BODIES: dict[str, Any] = {
    "snooze": {"until": SOON},
    "note": {"note": "seen"},
    "add_silence": {"matchers": {}, "reason": "upgrade", "end": SOON},
    "replay_dead_letters": {"ids": [1]},
    "dismiss_dead_letters": {"ids": [2]},
}


def send(client: FlaskClient, operation: Operation, number: int = 1, luid: str = "none", **more: Any) -> Any:
    """Send the smallest valid request of an operation."""
    path = PREFIX + operation.path.replace("<number>", str(number)).replace("<luid>", luid)
    if operation.method == "POST":
        more.setdefault("json", BODIES.get(operation.name, {}))
    return client.open(path, method=operation.method, **more)


def token(client: FlaskClient, role: str) -> dict[str, str]:
    """Return the header of a new token with this role."""
    value = services_of(client).inbox.sign_ins.create_token(name=f"a {role}", role=role, by="tests", seconds=60)
    return {"Authorization": f"Bearer {value}"}


def dead(inbox: Inbox, *event_ids: int, error: str = "channel not found") -> list[int]:
    """Let a job of each event die, the first one first, and return the ids of the jobs."""
    found = []
    for event_id in event_ids:
        inbox.events.replay([event_id])
        inbox.events.plan(lambda _: [NewJob("alerts/1", "notify", rule="alerts", params={"to": "slack:#bi"})])
        for job in (one for one in inbox.jobs.claim("tests", 50, 60) if one.key == "alerts/1"):
            inbox.dead_letters.dead_letter(job, error)
            found.append(job.id)
    return found


def test_routes_are_those_of_the_operations() -> None:
    """The blueprint knows its paths without the models; both tables agree."""
    assert [(one.name, one.method, one.path) for one in OPERATIONS] == list(ROUTES)
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)


def test_objects_are_as_described(client: FlaskClient, inbox: Inbox) -> None:
    """Every object has the documented fields and no others."""
    record = fail(inbox, project="Finance", owner="Ann (ann@acme.example)")
    dead(inbox, 1)
    acted = client.post(f"{PREFIX}/incidents/{record.id}/acknowledge", json={"note": "mine"})
    assert acted.status_code == 200, acted.json
    added = client.post(f"{PREFIX}/silences", json={"matchers": {"project": ["X"]}, "reason": "r", "end": SOON})
    assert added.status_code == 200, added.json
    for operation in [one for one in OPERATIONS if one.method == "GET"]:
        found = send(client, operation, 1, record.incident.resource_luid)
        assert found.status_code == 200, (operation.name, found.json)
        operation.returns.model_validate(found.json)
        if operation.is_list and operation.name != "list_rule_versions":
            assert found.json["items"], operation.name


def test_each_role_may_do_what_the_table_says(protected: FlaskClient) -> None:
    """A role below the one needed gets 403, no credential 401, and nothing is done."""
    fail(services_of(protected).inbox)
    headers = {role: token(protected, role) for role in ROLES[1:]}
    for operation in OPERATIONS:
        assert send(protected, operation).status_code == 401, operation.name
        assert send(protected, operation, headers={"Authorization": "Bearer twh_wrong"}).status_code == 401
        for role in ROLES[1:]:
            answer = send(protected, operation, headers=headers[role])
            expected = (200, 404, 409) if permits(role, operation.role) else (403,)
            assert answer.status_code in expected, (operation.name, role, answer.json)
            if answer.status_code != 200:
                assert answer.content_type == "application/problem+json"


def test_acts_are_in_the_audit_log(protected: FlaskClient) -> None:
    """Every act names the token, and the log has one row for each."""
    inbox = services_of(protected).inbox
    record, *_ = [fail(inbox) for _ in range(3)]
    # The first event is replayed itself.
    replayed, dismissed = dead(inbox, 2, 3)
    bodies = {"replay_dead_letters": {"ids": [replayed]}, "dismiss_dead_letters": {"ids": [dismissed]}}
    headers = token(protected, "operator")
    acts = [one for one in OPERATIONS if one.method == "POST" and one.name not in {"end_silence"}]
    order = sorted(acts, key=lambda one: one.name == "close")
    for operation in order:
        number = record.id if "incidents" in operation.path else 1
        body = bodies.get(operation.name, BODIES.get(operation.name, {}))
        answer = send(protected, operation, number, headers=headers, json=body)
        assert answer.status_code == 200, (operation.name, answer.json)
    rows = inbox.audit.list()
    assert {row.by for row in rows} == {"a operator"}
    assert [row.act for row in reversed(rows)] == [one.act for one in order]
    assert all(row.origin.startswith("program ") for row in rows)
    assert inbox.audit.verify().broken is None


def test_incident_can_be_acknowledged_snoozed_and_closed(client: FlaskClient, inbox: Inbox) -> None:
    """Each act returns the incident as it is then; what is closed cannot be acknowledged."""
    record = fail(inbox)
    path = f"{PREFIX}/incidents/{record.id}"
    until = (utc_now() + timedelta(hours=2)).isoformat()
    assert client.post(f"{path}/acknowledge", json={"until": until}).json["state"] == "acknowledged"
    assert client.post(f"{path}/snooze", json={"until": until, "note": "later"}).json["state"] == "snoozed"
    closed = client.post(f"{path}/close", json={"note": "retired"}).json
    assert closed["state"] == "closed"
    assert [act["kind"] for act in closed["acts"]] == ["acknowledge", "snooze", "close"]
    assert "closed" in [entry["kind"] for entry in closed["timeline"]]
    again = client.post(f"{path}/acknowledge", json={})
    assert (again.status_code, again.json["detail"]) == (
        409,
        f"Incident {record.id} is closed, so there is nothing left to acknowledge.",
    )


def test_pages_of_silences_and_runs_follow_each_other(client: FlaskClient, inbox: Inbox) -> None:
    """Each silence and each run is on one page, also where several runs ended at the same time."""
    now = utc_now()
    for number in range(5):
        inbox.silences.add(matchers={"project": [str(number)]}, start=now, end=None, by="Ann", reason="test")
        fail(inbox, f"Sales {number}")
    for path, key in (("silences", "id"), ("runs", "resource_luid")):
        seen: list[object] = []
        cursor = ""
        while True:
            page = client.get(f"{PREFIX}/{path}?limit=2&cursor={cursor}").json
            assert page
            assert len(page["items"]) <= 2
            seen += [item[key] for item in page["items"]]
            if not (cursor := page["next"] or ""):
                break
        assert len(seen) == len(set(seen)) == 5


def test_pages_follow_each_other(client: FlaskClient, inbox: Inbox) -> None:
    """The cursor leads through all incidents, each once, also if new ones appear meanwhile."""
    ids = [fail(inbox, f"Report {number}").id for number in range(5)]
    seen: list[int] = []
    cursor = ""
    while True:
        page = client.get(f"{PREFIX}/incidents?limit=2&cursor={cursor}").json
        seen += [one["id"] for one in page["items"]]
        fail(inbox, f"Late {len(seen)}")
        if not (cursor := page["next"] or ""):
            break
    assert seen == sorted(ids, reverse=True)


def test_filters_select(client: FlaskClient, inbox: Inbox) -> None:
    """Of several values of one filter one has to match, and all filters have to."""
    for name, project in (("A", "Finance/Reports"), ("B", "Sales"), ("C", "Sales")):
        fail(inbox, name, project=project)

    def names(query: str) -> list[str]:
        return [one["resource_name"] for one in client.get(f"{PREFIX}/incidents?{query}").json["items"]]

    assert names("project=Sales") == ["C", "B"]
    assert names("project=Sales&resource=B&resource=A") == ["B"]
    assert names("project=Finance*&state=open") == ["A"]
    assert names("state=closed") == []
    assert len(names("since=0001-01-01T00:00:00Z")) == len(names("since=9999-12-31T23:59:59Z")) == 3
    events = client.get(f"{PREFIX}/events?type=WorkbookRefreshFailed&limit=2").json
    assert [one["resource_name"] for one in events["items"]] == ["C", "B"]
    assert events["next"]


def test_lists_are_tables_as_well(client: FlaskClient, inbox: Inbox) -> None:
    """The same list as CSV, by its extension or by Accept; no cell can be a formula."""
    fail(inbox, '=HYPERLINK("http://evil.example","x")')
    for answer in (
        client.get(f"{PREFIX}/incidents.csv"),
        client.get(f"{PREFIX}/incidents", headers={"Accept": "text/csv"}),
    ):
        assert answer.content_type == "text/csv; charset=utf-8"
        (row,) = csv.DictReader(io.StringIO(answer.text))
        assert row["resource_name"] == '\'=HYPERLINK("http://evil.example","x")'
        assert row["state"] == "open"


def test_resources_are_listed_and_shown(client: FlaskClient, inbox: Inbox) -> None:
    """Filters select, each resource is on one page by name, and one has its runs, strikes, freshness and incident."""
    records = {}
    for name, project, owner in (("Sales", "Finance/Daily", "Ann"), ("=Sales", "HR", "Ben"), ("Été", "HR", "Ben")):
        records[name] = fail(inbox, name, strikes=3)
        inbox.resources.save([Resource(records[name].incident.resource_luid, "workbook", SITE, name, owner, project)])
    inbox.incidents.act(records["Été"].id, Act("", "acknowledge", "", utc_now(), "Ann"))

    def names(query: str) -> list[str]:
        answer = client.get(f"{PREFIX}/resources?{query}").json
        assert answer
        return [one["name"] for one in answer["items"]]

    assert names("") == ["=Sales", "Sales", "Été"]
    assert names("name=s*&kind=workbook") == names("project=Daily") == names("owner=ann") == ["Sales"]
    assert names("state=acknowledged") == ["Été"]
    assert names("kind=flow") == names("state=snoozed") == []
    seen, cursor = list[str](), ""
    while True:
        page = client.get(f"{PREFIX}/resources?limit=1&cursor={cursor}").json
        assert page
        seen += [one["name"] for one in page["items"]]
        if not (cursor := page["next"] or ""):
            break
    assert seen == names("")
    luid, now = records["Sales"].incident.resource_luid, utc_now()
    by = (now - timedelta(days=2), now + timedelta(days=1))
    expected = [Expectation(f"declared Morning {luid}", luid, "workbook", at) for at in by]
    inbox.expected_runs.announce(SITE, expected, now - timedelta(days=9), tasks=[])
    (past,) = inbox.expected_runs.due(SITE, now)
    inbox.expected_runs.settle({past.id: ("came", by[0] - timedelta(hours=1))})
    found = client.get(f"{PREFIX}/resources/{luid.upper()}").json
    assert found
    assert (found["incident"], found["strikes"], found["outcomes"]) == (records["Sales"].id, 3, ["failed"])
    assert (len(found["runs"]), found["incidents"][0]["id"], found["owner"]) == (1, records["Sales"].id, "Ann")
    assert found["next_expected_at"][:16] == f"{by[1]:%Y-%m-%dT%H:%M}"
    (promise,) = found["freshness"]
    month = by[0].astimezone(services_of(client).settings.zone)
    assert promise["months"] == [{"month": f"{month:%Y-%m}", "kept": 1, "total": 1}]


def test_dead_letters_are_replayed_and_dismissed(protected: FlaskClient) -> None:
    """Their ids come page by page; one that is not dead or not visible refuses all of them, and nothing is done."""
    inbox = services_of(protected).inbox
    for project in ("Finance", "HR", "HR"):
        record = fail(inbox, project=project)
        inbox.resources.save([Resource(record.incident.resource_luid, "workbook", SITE, "Sales", "Ann", project)])
    (first,), (second, third) = dead(inbox, 1), dead(inbox, 2, 3, error="token expired")
    headers = token(protected, "operator")
    seen, cursor = list[list[int]](), ""
    while True:
        page = protected.get(f"{PREFIX}/dead-letters?limit=1&cursor={cursor}", headers=headers).json
        assert page
        seen += [one["ids"] for one in page["items"]]
        if not (cursor := page["next"] or ""):
            break
    assert [sorted(ids) for ids in seen] == [[second, third], [first]]
    scope = Limits.of(projects=["Finance"]).as_text()
    value = inbox.sign_ins.create_token(name="x", role="operator", by="tests", seconds=60, scope=scope)
    limited = {"Authorization": f"Bearer {value}"}
    visible = protected.get(f"{PREFIX}/dead-letters", headers=limited).json
    assert visible
    assert [one["ids"] for one in visible["items"]] == [[first]]
    for act in ("replay", "dismiss"):
        refused = protected.post(f"{PREFIX}/dead-letters/{act}", json={"ids": [first, second]}, headers=limited)
        assert (refused.status_code, inbox.audit.list()) == (404, []), act
    done = [
        protected.post(f"{PREFIX}/dead-letters/replay", json={"ids": [first, float(first)]}, headers=limited).json,
        protected.post(f"{PREFIX}/dead-letters/dismiss", json={"ids": [second, third]}, headers=headers).json,
    ]
    assert done == [{"number": 1}, {"number": 2}]
    assert [(row.act, row.details) for row in inbox.audit.list()] == [
        ("dismiss", f"2 jobs: {second}, {third}"),
        ("replay", f"1 job: {first}"),
    ]
    states = {job.job.id: job.job.state.word for one in inbox.events.list() for job in one.jobs}
    assert [states[job_id] for job_id in (first, second, third)] == ["ready", "cancelled", "cancelled"]


JSON = {"content_type": "application/json"}
INVALID: tuple[tuple[str, str, dict[str, Any], int, str], ...] = (
    ("GET", "/incidents?colour=red", {}, 422, "colour"),
    ("GET", "/incidents?state=broken", {}, 422, "state"),
    ("GET", "/incidents?limit=0", {}, 422, "limit"),
    ("GET", "/incidents?limit=1&limit=2", {}, 422, "limit: it is given 2 times"),
    ("GET", "/incidents?cursor=x", {}, 404, "cursor"),
    ("GET", "/runs?cursor=x", {}, 404, "cursor"),
    ("GET", "/runs?cursor=NUBuYW4", {}, 404, "cursor"),
    ("GET", "/silences?cursor=x", {}, 404, "cursor"),
    ("GET", "/silences?cursor=wrI", {}, 404, "cursor"),
    ("GET", "/dead-letters?cursor=x", {}, 404, "cursor"),
    ("GET", "/resources?cursor=x", {}, 404, "cursor"),
    ("GET", "/resources?cursor=AA", {}, 404, "cursor"),
    ("GET", "/resources?cursor=IEE", {}, 404, "cursor"),
    ("GET", "/resources?state=closed", {}, 422, "state"),
    ("GET", "/resources?kind=view", {}, 422, "kind"),
    ("GET", "/resources/%00", {}, 404, "LUID"),
    ("GET", "/resources/none", {}, 404, "'none'"),
    ("POST", "/dead-letters/replay", {"json": {}}, 422, "ids"),
    ("POST", "/dead-letters/replay", {"json": {"ids": []}}, 422, "ids"),
    ("POST", "/dead-letters/replay", {"json": {"ids": ["1"]}}, 422, "ids"),
    ("POST", "/dead-letters/replay", {"json": {"ids": [True]}}, 422, "ids"),
    ("POST", "/dead-letters/replay", {"json": {"ids": [1.5]}}, 422, "ids"),
    ("POST", "/dead-letters/dismiss", {"json": {"ids": [2**63]}}, 422, "ids"),
    ("POST", "/dead-letters/dismiss", {"json": {"ids": [99]}}, 404, "no dead job 99"),
    ("GET", "/incidents?since=yesterday", {}, 422, "since"),
    ("GET", "/incidents?resource=%00", {}, 422, "resource"),
    ("GET", "/incidents/999", {}, 404, "no incident"),
    ("GET", "/incidents/99999999999999999999", {}, 404, "number"),
    ("GET", "/incidents/one", {}, 404, "'one'"),
    ("GET", "/events/999", {}, 404, "no event 999"),
    ("POST", "/incidents/1/acknowledge", {"data": "{}"}, 415, "application/json"),
    ("POST", "/incidents/1/acknowledge", {"data": "{", "content_type": "application/json"}, 400, "JSON"),
    ("POST", "/incidents/1/acknowledge", {"data": "[" * 5000, "content_type": "application/json"}, 400, "JSON"),
    ("POST", "/incidents/1/acknowledge", {"data": b"\xff", "content_type": "application/json"}, 400, "JSON"),
    ("POST", "/incidents/1/note", {"data": '{"note": "a", "note": "b"}', **JSON}, 400, "'note' more than once"),
    ("POST", "/incidents/1/note", {"data": '{"note": NaN}', **JSON}, 400, "NaN"),
    ("POST", "/incidents/1/note", {"data": '{"note": 1e999}', **JSON}, 400, "out of range"),
    ("POST", "/incidents/1/note", {"data": '{"note": "a"}'.encode("utf-16"), **JSON}, 400, "UTF-8"),
    ("POST", "/incidents/1/note", {"data": '{"note": "\\ud800"}', **JSON}, 422, "note"),
    ("POST", "/incidents/1/acknowledge", {"json": [1]}, 422, "object"),
    ("POST", "/incidents/1/acknowledge", {"json": {"until": "2001-01-01T00:00:00Z"}}, 409, "not in the future"),
    ("POST", "/incidents/1/acknowledge", {"json": {"until": "2999-01-01T00:00:00"}}, 422, "until"),
    ("POST", "/incidents/1/snooze", {"json": {"until": "9999-12-31T23:59:59Z"}}, 409, "ten years"),
    ("POST", "/incidents/1/acknowledge", {"json": {"who": "me"}}, 422, "who"),
    ("POST", "/incidents/1/note", {"json": {"note": "  "}}, 422, "note"),
    ("POST", "/incidents/1/note", {"json": {"note": "x" * 1001}}, 422, "note"),
    ("POST", "/incidents/1/snooze", {"json": {}}, 422, "until"),
    ("POST", "/silences", {"json": {"matchers": {}, "reason": "x"}}, 422, "end"),
    ("POST", "/silences", {"json": {"matchers": {"colour": ["x"]}, "reason": "x"}}, 422, "matchers"),
    ("POST", "/silences/7/end", {"json": {}}, 404, "no silence 7"),
    ("POST", "/incidents/1/note", {"data": b"x" * 70000, "content_type": "application/json"}, 413, ""),
    ("DELETE", "/incidents/1", {}, 405, ""),
    ("POST", "/incidents", {"json": {}}, 405, ""),
    ("GET", "/nothing", {}, 404, ""),
)


def test_invalid_request_is_refused_with_the_reason(client: FlaskClient, inbox: Inbox) -> None:
    """Each is a problem document that says what is wrong; nothing is changed and nothing fails."""
    record = fail(inbox)
    for method, path, more, status, detail in INVALID:
        answer = client.open(PREFIX + path.replace("/1/", f"/{record.id}/"), method=method, **more)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), (path, answer.text)
        assert detail in answer.get_json(force=True)["detail"], path
    assert inbox.incidents.get(record.id).incident.acts == ()


def test_only_this_machine_is_served_without_a_password(client: FlaskClient) -> None:
    """A request from elsewhere, or through a proxy, is refused."""
    assert client.get(f"{PREFIX}/status").status_code == 200
    elsewhere = client.get(f"{PREFIX}/status", environ_overrides={"REMOTE_ADDR": "10.0.0.9"})
    through_proxy = client.get(f"{PREFIX}/status", headers={"X-Forwarded-For": "127.0.0.1"})
    assert {elsewhere.status_code, through_proxy.status_code} == {403}


def test_password_is_accepted_and_guessing_is_slowed_down(protected: FlaskClient) -> None:
    """Basic authentication works for scripts; after ten wrong passwords even the right one has to wait."""
    assert protected.get(f"{PREFIX}/status", auth=BASIC).status_code == 200
    wrong = [protected.get(f"{PREFIX}/status", auth=("admin", f"guess {number}")).status_code for number in range(11)]
    assert wrong == [401] * 10 + [429]
    assert protected.get(f"{PREFIX}/status", auth=BASIC).status_code == 429


def test_secrets_are_masked(make_app: Any) -> None:
    """A secret of the server that came into a reason is not returned."""
    app = make_app(webhook_token="the-token-in-the-url-of-the-webhook")
    client = app.test_client()
    inbox = services_of(client).inbox
    record = fail(inbox, reason="called https://x/webhook/the-token-in-the-url-of-the-webhook")
    for path in ("/status", "/incidents", f"/incidents/{record.id}", "/runs", "/events", "/incidents.csv"):
        assert "the-token-in-the-url" not in client.get(PREFIX + path).text


def test_large_bodies_are_refused_however_they_are_sent(client: FlaskClient, inbox: Inbox) -> None:
    """The beginning of one must not be taken for the whole, as if its sender gives no length."""
    path = f"{PREFIX}/incidents/{fail(inbox).id}/acknowledge"
    for target in (path, "/mcp"):
        chunked = {"wsgi.input_terminated": True}
        body = io.BytesIO(b"{}" + b" " * MAX_BYTES)
        refused = client.post(target, input_stream=body, content_type="application/json", environ_overrides=chunked)
        assert (refused.status_code, refused.json["detail"]) == (413, "The body is larger than 64 KiB.")  # type: ignore[index]
        sized = client.post(target, data=body.getvalue(), content_type="application/json")
        assert (sized.status_code, sized.json) == (413, refused.json)
    assert inbox.incidents.list()[0].incident.state == "open"
