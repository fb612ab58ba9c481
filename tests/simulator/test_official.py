"""The vendors' own clients work with the simulator."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
import pytest
import requests
import slack_sdk
import tableauserverclient as tableau
import twilio.rest
from slack_sdk.errors import SlackApiError
from twilio.base.exceptions import TwilioRestException

from simulator import Running

PNG = b"\x89PNG\r\n\x1a\n"


def _named(endpoint: Any, name: str) -> Any:
    options = tableau.RequestOptions()
    options.filter.add(tableau.Filter("name", "eq", name))
    found, pagination = endpoint.get(options)
    assert pagination.total_available == 1
    return found[0]


def test_tsc_reads_a_workbook_with_its_picture(tsc: tableau.Server) -> None:
    """TSC finds a workbook by name, reads it, and gets a PNG."""
    workbook = tsc.workbooks.get_by_id(_named(tsc.workbooks, "Sales").id)
    assert (workbook.project_name, workbook.has_extracts, workbook.tags) == ("Finance", True, {"gold"})
    assert [view.name for view in workbook.views] == ["Overview", "By Region", "Trend"]
    assert workbook.webpage_url.endswith("/#/site/acme/workbooks/108")
    assert tsc.users.get_by_id(workbook.owner_id).email == "ben@acme.example"
    tsc.workbooks.populate_preview_image(workbook)
    assert workbook.preview_image.startswith(PNG)


def test_tsc_signs_in_with_a_password(simulator: Running) -> None:
    """A session by name and password ends with the sign-out."""
    config = simulator.world.config
    with tableau.Server(simulator.url, use_server_version=True) as server:
        auth = tableau.TableauAuth(config.username, config.password, site_id=config.content_url)
        with server.auth.sign_in(auth):
            assert server.version == config.api_version
            assert simulator.world.sessions.live()
        assert not simulator.world.sessions.live()
        wrong = tableau.TableauAuth(config.username, "wrong", site_id=config.content_url)
        with pytest.raises(tableau.FailedSignInError, match="401001"):
            server.auth.sign_in(wrong)


def _token(simulator: Running, **changes: Any) -> str:
    config = simulator.world.config
    claims = {
        "iss": config.ca_client,
        "sub": config.username,
        "aud": "tableau",
        "exp": int(time.time()) + 300,
        "jti": str(uuid.uuid4()),
        "scp": ["tableau:content:read"],
    } | changes
    headers = {"kid": config.ca_secret_id, "iss": config.ca_client}
    return jwt.encode(claims, config.ca_secret_value, "HS256", headers)


def test_tsc_signs_in_with_a_jwt(simulator: Running) -> None:
    """A session by JWT is limited to its scopes."""
    with tableau.Server(simulator.url) as server:
        server.version = simulator.world.config.api_version
        server.auth.sign_in(tableau.JWTAuth(_token(simulator), site_id=simulator.world.config.content_url))
        assert len(server.workbooks.get()[0]) == 12
        with pytest.raises(tableau.FailedSignInError, match="scope"):
            server.users.get()


def test_tsc_reads_every_list(tsc: tableau.Server) -> None:
    """TSC can read every list."""
    assert {len(list(tableau.Pager(tsc.workbooks))), len(list(tableau.Pager(tsc.datasources)))} == {12, 7}
    assert len(list(tableau.Pager(tsc.views))) == 20
    assert [user.email for user in tsc.users.get()[0]][:2] == ["ann@acme.example", "ben@acme.example"]
    assert {group.name for group in tsc.groups.get()[0]} == {"All Users", "Finance Analysts", "BI Stewards"}
    assert [project.name for project in tsc.projects.get()[0]][:2] == ["Default", "Finance"]
    assert tsc.sites.get_by_id(tsc.site_id).content_url == "acme"


def test_tsc_pages_through_a_list(tsc: tableau.Server) -> None:
    """A pager with small pages returns every item once."""
    options = tableau.RequestOptions(pagesize=5)
    names = [workbook.name for workbook in tableau.Pager(tsc.workbooks, options)]
    assert len(names) == len(set(names)) == 12


def test_tsc_refreshes_and_reads_why_it_failed(simulator: Running, tsc: tableau.Server, control: Any) -> None:
    """A refresh starts a job; the list has its failure, the job its reason and content."""
    workbook = _named(tsc.workbooks, "Sales")
    control("POST", "refreshes", {"name": "Sales", "fail": 1, "reason": "Login failed"})
    started = tsc.workbooks.refresh(workbook)
    assert simulator.world.timer.settle(60)
    options = tableau.RequestOptions()
    options.filter.add(tableau.Filter("jobType", "in", ["refresh_extracts", "increment_extracts"]))
    options.filter.add(tableau.Filter("status", "eq", "Failed"))
    options.sort.add(tableau.Sort("createdAt", "desc"))
    listed, _ = tsc.jobs.get(req_options=options)
    assert [(job.status, job.title) for job in listed] == [("Failed", "Sales"), ("Failed", "Overdue Invoices")]
    assert listed[0].id == started.id
    job = tsc.jobs.get_by_id(started.id)
    assert (job.finish_code, job.workbook_id, job.notes) == (1, workbook.id, ["Login failed"])
    with pytest.raises(tableau.server.endpoint.exceptions.JobFailedException):
        tsc.jobs.wait_for_job(started.id, timeout=5)
    tsc.jobs.wait_for_job(tsc.workbooks.refresh(workbook), timeout=5)


def test_tsc_tags_with_spaces_and_commas(tsc: tableau.Server) -> None:
    """A label with a space stays one label, and can be deleted."""
    workbook = _named(tsc.workbooks, "Newsletter")
    assert tsc.workbooks.add_tags(workbook, ["to be checked", "a,b", "plain"]) == {"to be checked", "a,b", "plain"}
    tsc.workbooks.delete_tags(workbook, ["to be checked", "a,b"])
    assert tsc.workbooks.get_by_id(workbook.id).tags == {"plain"}
    tsc.tags.batch_add(["many"], [workbook, _named(tsc.datasources, "Orders")])
    assert _named(tsc.datasources, "Orders").tags == {"many"}


def test_tsc_updates_owner_and_certification(tsc: tableau.Server) -> None:
    """The next request returns the changed values."""
    source = tsc.datasources.get_by_id(_named(tsc.datasources, "Receivables").id)
    source.certified, source.certification_note = True, "checked"
    tsc.datasources.update(source)
    assert tsc.datasources.get_by_id(source.id).certification_note == "checked"
    workbook = tsc.workbooks.get_by_id(_named(tsc.workbooks, "Store Map").id)
    workbook.owner_id = tsc.user_id
    tsc.workbooks.update(workbook)
    assert tsc.workbooks.get_by_id(workbook.id).owner_id == tsc.user_id
    tsc.workbooks.delete(workbook.id)
    with pytest.raises(tableau.ServerResponseError, match="404006"):
        tsc.workbooks.get_by_id(workbook.id)


def test_tsc_manages_webhooks(tsc: tableau.Server, receiver: Any) -> None:
    """TSC creates, lists, tests and deletes a webhook."""
    webhook = tableau.WebhookItem()
    webhook.name, webhook.url, webhook.event = "failures", receiver.url, "workbook-refresh-failed"
    made = tsc.webhooks.create(webhook)
    assert (made.name, made.event, made.url) == ("failures", "workbook-refresh-failed", receiver.url)
    assert [hook.id for hook in tsc.webhooks.get()[0]] == [made.id]
    assert tsc.webhooks.get_by_id(made.id).owner_id == tsc.user_id
    tsc.webhooks.test(made.id)
    assert receiver.requests[0][2] == b""
    tsc.webhooks.delete(made.id)
    assert tsc.webhooks.get()[0] == []


def test_slack_sdk_posts_updates_and_threads(simulator: Running, slack: slack_sdk.WebClient) -> None:
    """A message is posted to a channel by name, updated, and gets a reply in its thread."""
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "Refresh failed"}}]
    sent = slack.chat_postMessage(channel="#finance-data", text="Refresh failed", blocks=blocks)
    slack.chat_update(channel=sent["channel"], ts=sent["ts"], text="Recovered")
    slack.chat_postMessage(channel=sent["channel"], thread_ts=sent["ts"], text="since 9:30")
    first, second = simulator.world.slack.messages
    assert (first.text, first.edited, second.thread_ts) == ("Recovered", True, first.ts)


def test_slack_sdk_uploads_a_picture_to_a_thread(simulator: Running, slack: slack_sdk.WebClient) -> None:
    """files_upload_v2 completes its three steps, and the bytes are unchanged."""
    sent = slack.chat_postMessage(channel="#bi", text="New workbook")
    uploaded = slack.files_upload_v2(
        channel=sent["channel"], thread_ts=sent["ts"], content=PNG + b"=&%\x00\xff", filename="sales.png", title="Sales"
    )
    file = simulator.world.slack.files[uploaded["file"]["id"]]
    assert (file.data, file.title) == (PNG + b"=&%\x00\xff", "Sales")
    assert simulator.world.slack.messages[-1].thread_ts == sent["ts"]
    assert requests.get(f"{simulator.url}/simulator/files/{file.id}", timeout=30).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    ("channel", "error"),
    [("#nowhere", "channel_not_found"), ("#board", "channel_not_found"), ("#old-news", "is_archived")],
)
def test_slack_sdk_cannot_post_to_every_channel(slack: slack_sdk.WebClient, channel: str, error: str) -> None:
    """Missing, private and archived channels have Slack's errors."""
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel=channel, text="hello")
    assert refused.value.response["error"] == error


def test_slack_sdk_finds_users_and_channels(slack: slack_sdk.WebClient) -> None:
    """A user is found by e-mail address and gets a message; channels are listed by page."""
    user = slack.users_lookupByEmail(email="ben@acme.example")["user"]
    direct = slack.conversations_open(users=user["id"])["channel"]["id"]
    assert slack.chat_postMessage(channel=direct, text="hello")["channel"] == direct
    names = [channel["name"] for page in slack.conversations_list(limit=2) for channel in page["channels"]]
    assert (names[:2], len(names)) == (["general", "bi"], 5)
    assert slack.auth_test()["ok"]


def test_twilio_sends_lists_and_fetches(sms: twilio.rest.Client) -> None:
    """A message is accepted, found by its recipient, and fetched."""
    sent = sms.messages.create(to="+15550100", from_="+15005550006", body="Sales failed")
    assert (sent.status, sent.sid[:2]) == ("queued", "SM")
    sms.messages.create(to="+15550199", from_="+15005550006", body="other")
    assert [message.body for message in sms.messages.list(to="+15550100")] == ["Sales failed"]
    assert sms.messages(sent.sid).fetch().body == "Sales failed"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"to": "+15005550001"}, 21211),
        ({"to": "12"}, 21211),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
        ({"from_": "+15005550008"}, 21611),
        ({"from_": "+15551112222"}, 21606),
        ({"body": "x" * 1601}, 21617),
        ({"body": ""}, 21619),
    ],
)
def test_twilio_refuses_with_its_codes(sms: twilio.rest.Client, arguments: dict[str, str], code: int) -> None:
    """A message that cannot be sent is refused with Twilio's code."""
    with pytest.raises(TwilioRestException) as refused:
        sms.messages.create(**({"to": "+15550100", "from_": "+15005550006", "body": "x"} | arguments))
    assert (refused.value.code, refused.value.status) == (code, 400)
