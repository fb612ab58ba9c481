"""The REST calls for webhooks, with Tableau's rules."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import Running


def _webhook(url: str = "https://hooks.example.org/t/s3cret", **changes: Any) -> dict[str, Any]:
    destination = {"webhook-destination-http": {"method": "POST", "url": url}}
    return {
        "webhook": {"name": "failures", "event": "WorkbookRefreshFailed", "webhook-destination": destination} | changes
    }


def test_new_webhook_has_both_names_of_its_event(rest: Any) -> None:
    """The response is 201 with a Location, and has the event by name and as the older element."""
    response = rest.call("POST", "webhooks", json=_webhook())
    made = response.json()["webhook"]
    assert response.status_code == 201
    assert response.headers["Location"].endswith(f"/webhooks/{made['id']}")
    assert (made["event"], made["isEnabled"], made["statusChangeReason"]) == ("WorkbookRefreshFailed", True, "")
    assert made["webhook-source"] == {"webhook-source-event-workbook-refresh-failed": {}}
    assert rest.get(f"webhooks/{made['id']}")["webhook"] == made


def test_empty_list_is_an_empty_object(rest: Any) -> None:
    """Without webhooks, the list is {} and not []."""
    assert rest.get("webhooks")["webhooks"] == {}


def test_event_can_be_given_as_source(rest: Any) -> None:
    """webhook-source is sufficient, and must agree with event."""
    older = {"webhook-source": {"webhook-source-event-label-created": {}}}
    made = rest.call("POST", "webhooks", json=_webhook(event=None, **older)).json()["webhook"]
    assert made["event"] == "LabelCreated"
    assert rest.call("POST", "webhooks", json=_webhook(**older)).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        _webhook(event="WorkbookExploded"),
        _webhook(url="ftp://example.org/x"),
        _webhook(url=""),
        _webhook(name=""),
        {},
        {"webhook": []},
    ],
)
def test_invalid_webhook_is_refused(rest: Any, body: dict[str, Any]) -> None:
    """A webhook that cannot be delivered is not created."""
    assert rest.call("POST", "webhooks", json=body).json()["error"]["code"] == "400000"
    assert rest.get("webhooks")["webhooks"] == {}


def test_disabled_webhook_has_a_reason(rest: Any) -> None:
    """An isEnabled of false without a reason gets Tableau's reason; a reason with isEnabled true is 400127."""
    luid = rest.call("POST", "webhooks", json=_webhook()).json()["webhook"]["id"]
    off = rest.call("PUT", f"webhooks/{luid}", json=_webhook(isEnabled=False)).json()["webhook"]
    assert (off["isEnabled"], off["statusChangeReason"]) == (False, "Webhook disabled by user")
    disabled = rest.call("PUT", f"webhooks/{luid}", json=_webhook(isEnabled=False, statusChangeReason="too loud"))
    assert disabled.json()["webhook"]["statusChangeReason"] == "too loud"
    both = rest.call("PUT", f"webhooks/{luid}", json=_webhook(isEnabled=True, statusChangeReason="x"))
    assert both.json()["error"]["code"] == "400127"
    on = rest.call("PUT", f"webhooks/{luid}", json=_webhook(isEnabled=True)).json()["webhook"]
    assert (on["isEnabled"], on["statusChangeReason"]) == (True, "")


def test_test_returns_the_receivers_response(rest: Any, receiver: Any) -> None:
    """An empty body is sent; the response contains the receiver's status and body."""
    receiver.statuses = [418]
    luid = rest.call("POST", "webhooks", json=_webhook(receiver.url)).json()["webhook"]["id"]
    assert rest.get(f"webhooks/{luid}/test") == {"webhookTestResult": {"id": luid, "status": 418, "body": "ok"}}
    assert [body for _, _, body in receiver.requests] == [b""]


def test_test_of_an_unreachable_address_is_408(rest: Any) -> None:
    """Tableau reports 408 if the receiver does not respond."""
    luid = rest.call("POST", "webhooks", json=_webhook("http://127.0.0.1:1/")).json()["webhook"]["id"]
    assert rest.get(f"webhooks/{luid}/test")["webhookTestResult"]["status"] == 408


def test_missing_webhook_is_not_found(rest: Any) -> None:
    """The status is 404, and the code of a test 400113."""
    assert rest.call("GET", "webhooks/nope").status_code == 404
    assert rest.call("DELETE", "webhooks/nope").status_code == 404
    assert rest.call("GET", "webhooks/nope/test").json()["error"]["code"] == "400113"


def test_webhooks_need_an_administrator(simulator: Running, rest: Any) -> None:
    """Other users get 403004."""
    simulator.world.home.user_named(simulator.world.config.username).site_role = "Creator"  # type: ignore[union-attr]
    assert rest.call("GET", "webhooks").json()["error"]["code"] == "403004"


def test_old_versions_have_no_webhooks(rest: Any) -> None:
    """Before 3.6 the call is unknown, and a version that the server does not offer is refused."""
    assert rest.call("GET", "webhooks", version="3.5").json()["error"]["code"] == "404003"
    assert rest.call("GET", "webhooks", version="9.9").json()["error"]["code"] == "404001"
