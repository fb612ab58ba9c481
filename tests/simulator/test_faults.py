"""Faults affect the calls they match, for as long as requested."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
import slack_sdk
import twilio.rest
from slack_sdk.errors import SlackApiError
from twilio.base.exceptions import TwilioRestException

from simulator import Running
from simulator.world.faults import KINDS, Faults

SLOW = 0.15
# Longer than two calls take on a loaded machine.
LATE = 1.5


def _add(control: Any, **fault: Any) -> Any:
    return control("POST", "faults", fault, status=201)["fault"]


def test_fault_lasts_for_a_number_of_calls(rest: Any, control: Any) -> None:
    """After this number of calls the fault is removed."""
    _add(control, kind="html", path="/workbooks", times=2)
    assert [rest.call("GET", path).status_code for path in ("users", "workbooks", "workbooks", "workbooks")] == [
        200,
        502,
        502,
        200,
    ]
    assert control("GET", "faults")["on"] == []


def test_fault_lasts_until_it_is_removed(rest: Any, control: Any) -> None:
    """Without a number the fault stays; one or all can be removed."""
    fault = _add(control, kind="error", code="403004", method="get")
    assert rest.call("GET", "workbooks").json()["error"]["code"] == "403004"
    assert rest.call("PUT", "workbooks/x", json={}).status_code == 404
    assert control("DELETE", f"faults/{fault['id']}") == {"removed": 1}
    assert rest.call("GET", "workbooks").ok
    _add(control, kind="delay", seconds=0)
    _add(control, kind="delay", target="slack", seconds=0)
    assert control("DELETE", "faults") == {"removed": 2}


def test_delay_is_followed_by_the_response(rest: Any, control: Any) -> None:
    """The response is late and correct."""
    _add(control, kind="delay", seconds=SLOW)
    began = time.monotonic()
    assert rest.call("GET", "workbooks").ok
    assert time.monotonic() - began >= SLOW


def test_refusal_closes_the_connection(simulator: Running, rest: Any, control: Any) -> None:
    """The client gets neither status nor body, and the log has status 0."""
    _add(control, kind="refuse", times=1)
    with pytest.raises(requests.ConnectionError):
        rest.call("GET", "workbooks")
    deadline = time.monotonic() + 60
    while simulator.world.calls.log[-1].status != 0 and time.monotonic() < deadline:
        # The connection is closed before the call is logged.
        time.sleep(0.01)
    assert simulator.world.calls.log[-1].status == 0
    assert rest.call("GET", "workbooks").ok


@pytest.mark.parametrize(
    ("form", "status", "code"), [("401000", 401, "401000"), ("401002", 401, "401002"), ("403", 403, "403004")]
)
def test_unauthorized_has_three_forms(rest: Any, control: Any, form: str, status: int, code: str) -> None:
    """An expired session has three forms of responses; the session itself stays valid."""
    _add(control, kind="unauthorized", form=form, times=1)
    response = rest.call("GET", "workbooks")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert rest.call("GET", "workbooks").ok


@pytest.mark.parametrize(("form", "begin"), [("html", "<html>"), ("empty", "")])
def test_unauthorized_can_have_no_code(rest: Any, control: Any, form: str, begin: str) -> None:
    """The 401 of a gateway is a page or empty."""
    _add(control, kind="unauthorized", form=form)
    response = rest.call("GET", "workbooks")
    assert (response.status_code, response.text[:6]) == (401, begin)


def test_expiry_ends_the_session(rest: Any, control: Any) -> None:
    """Unlike the fault `unauthorized`, this one requires a new sign-in."""
    _add(control, kind="expire", path="/workbooks", times=1)
    assert [rest.call("GET", "workbooks").status_code for _ in range(2)] == [401, 401]
    rest.sign_in()
    assert rest.call("GET", "workbooks").ok


@pytest.mark.parametrize("header", [True, False])
def test_throttling_with_and_without_the_header(rest: Any, control: Any, header: bool) -> None:
    """The minutes are always in the text, and Retry-After only with `header`."""
    _add(control, kind="throttled", seconds=1740, header=header)
    response = rest.call("GET", "workbooks")
    assert (response.status_code, response.json()["error"]["code"]) == (429, "429000")
    assert "29 minutes" in response.json()["error"]["detail"]
    assert response.headers.get("Retry-After") == ("1740" if header else None)


def test_errors_can_be_xml(simulator: Running, control: Any) -> None:
    """Without an Accept header for JSON, errors are XML."""
    _add(control, kind="error", code="409093")
    response = requests.get(f"{simulator.url}/api/3.27/serverinfo", timeout=30)
    assert (response.status_code, response.headers["Content-Type"]) == (409, "application/xml;charset=utf-8")
    assert b'<error code="409093"><summary>Resource Conflict</summary>' in response.content


def test_redirect_keeps_the_path(rest: Any, control: Any) -> None:
    """A redirect has the path of the request, as from the generic host of Cloud to the pod."""
    _add(control, kind="redirect", location="https://10ax.example/", path="signin")
    pat = {"personalAccessTokenName": "x"}
    response = rest.http.post(f"{rest.simulator.url}/api/3.27/auth/signin", json=pat, allow_redirects=False, timeout=30)
    assert (response.status_code, response.headers["Location"]) == (301, "https://10ax.example/api/3.27/auth/signin")


def test_shapes_of_json(rest: Any, control: Any) -> None:
    """All shapes of JSON that clients must accept can be injected."""
    path = "workbooks?filter=name:eq:Sales"
    plain = rest.get(path)["workbooks"]["workbook"][0]
    assert plain["hasExtracts"] is True
    shapes = {}
    for kind in ("strings", "single", "bare", "empty"):
        fault = _add(control, kind=kind)
        shapes[kind] = rest.get(path)["workbooks"]
        control("DELETE", f"faults/{fault['id']}")
    assert shapes["strings"]["workbook"][0]["hasExtracts"] == "true"
    assert shapes["single"]["workbook"]["name"] == "Sales"
    assert [book["name"] for book in shapes["bare"]] == ["Sales"]
    assert shapes["empty"] == {}
    nothing = "workbooks?filter=name:eq:nothing"
    assert rest.get(nothing)["workbooks"] == {}
    _add(control, kind="lists")
    assert rest.get(nothing)["workbooks"] == {"workbook": []}


@pytest.mark.parametrize(("form", "seen"), [("running", ["InProgress"]), ("absent", [])])
def test_end_of_a_job_can_appear_late(simulator: Running, rest: Any, control: Any, form: str, seen: list[str]) -> None:
    """Until the job list is up to date, the job is listed as running or not at all."""
    _add(control, kind="late_jobs", seconds=LATE, form=form, times=1)
    control("POST", "events", {"event_type": "WorkbookRefreshFailed", "name": "Sales"})
    before = rest.get("jobs?filter=title:eq:Sales&sort=createdAt:desc&pageSize=1")["backgroundJobs"].get(
        "backgroundJob", []
    )
    assert [job["status"] for job in before if job["status"] != "Success"] == seen
    time.sleep(LATE + 0.05)
    [after] = rest.get("jobs?filter=title:eq:Sales,status:eq:Failed")["backgroundJobs"]["backgroundJob"]
    assert rest.get(f"jobs/{after['id']}")["job"]["finishCode"] == "1"


def test_slack_can_be_throttled(slack: slack_sdk.WebClient, control: Any) -> None:
    """Slack's 429 has Retry-After, and the next call succeeds."""
    _add(control, kind="throttled", target="slack", seconds=7, times=1)
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel="#bi", text="x")
    response = refused.value.response
    assert (response.status_code, response["error"], response.headers["Retry-After"]) == (429, "ratelimited", "7")
    assert slack.chat_postMessage(channel="#bi", text="x")["ok"]


def test_slack_can_return_any_error(slack: slack_sdk.WebClient, control: Any) -> None:
    """Every error name of Slack can be injected."""
    _add(control, kind="error", target="slack", path="chat.postMessage", code="not_in_channel")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        slack.chat_postMessage(channel="#bi", text="x")
    assert slack.auth_test()["ok"]


@pytest.mark.parametrize(
    ("fault", "code"), [({"kind": "throttled"}, 20429), ({"kind": "error", "code": "21611"}, 21611)]
)
def test_twilio_can_return_any_code(sms: twilio.rest.Client, control: Any, fault: dict[str, str], code: int) -> None:
    """Throttling has code 20429, an error the requested code."""
    _add(control, target="twilio", **fault)
    with pytest.raises(TwilioRestException) as refused:
        sms.messages.create(to="+15550100", from_="+15005550006", body="x")
    assert refused.value.code == code


def test_twilio_can_send_without_responding(simulator: Running, sms: twilio.rest.Client, control: Any) -> None:
    """The client sees a broken connection, and the message was sent."""
    _add(control, kind="lost", target="twilio", times=1)
    with pytest.raises(requests.ConnectionError):
        sms.messages.create(to="+15550100", from_="+15005550006", body="x")
    assert [message.body for message in sms.messages.list(to="+15550100")] == ["x"]
    assert len(simulator.world.twilio.messages) == 1


def test_share_affects_some_calls() -> None:
    """About this share of the calls is affected, the same ones for the same seed."""

    def hits() -> list[int]:
        faults = Faults(seed=3)
        faults.add({"kind": "html", "share": 0.3})
        return [len(faults.hit("tableau", "GET", "/api/x")) for _ in range(200)]

    assert hits() == hits()
    assert 40 < sum(hits()) < 80


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "explode"},
        {"kind": "delay", "target": "github"},
        {"kind": "delay", "seconds": "soon"},
        {"kind": "delay", "seconds": -1},
        {"kind": "delay", "times": 0},
        {"kind": "delay", "times": "1e999"},
        {"kind": "delay", "seconds": "nan"},
        {"kind": "error", "status": "inf"},
        {"kind": "delay", "path": "("},
        {"kind": "unauthorized", "form": "418"},
        {"kind": "delay", "colour": "red"},
    ],
)
def test_invalid_fault_is_refused(control: Any, fault: dict[str, Any]) -> None:
    """The error has a text, and no fault is switched on."""
    assert control("POST", "faults", fault, status=400)["error"]
    assert control("GET", "faults") == {"on": [], "kinds": KINDS}


def test_faults_do_not_affect_the_simulators_own_api(control: Any) -> None:
    """The requests that remove faults are never affected."""
    _add(control, kind="refuse", target="*")
    assert control("GET", "healthz") == {"status": "ok"}
