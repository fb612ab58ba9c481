"""Managing webhooks by REST, with Tableau's rules."""

from typing import Any

import pytest

from simulator import Running


def _wish(url: str = "https://hooks.example.org/t/s3cret", **changes: Any) -> dict[str, Any]:
    destination = {"webhook-destination-http": {"method": "POST", "url": url}}
    return {
        "webhook": {"name": "failures", "event": "WorkbookRefreshFailed", "webhook-destination": destination} | changes
    }


def test_created_webhook_has_both_names_of_its_event(rest: Any) -> None:
    """201 with a Location; the event by name and as the older element."""
    answer = rest.call("POST", "webhooks", json=_wish())
    made = answer.json()["webhook"]
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/webhooks/{made['id']}")
    assert (made["event"], made["isEnabled"], made["statusChangeReason"]) == ("WorkbookRefreshFailed", True, "")
    assert made["webhook-source"] == {"webhook-source-event-workbook-refresh-failed": {}}
    assert rest.get(f"webhooks/{made['id']}")["webhook"] == made


def test_empty_list_is_an_empty_object(rest: Any) -> None:
    """No webhooks: {}, not []."""
    assert rest.get("webhooks")["webhooks"] == {}


def test_older_form_names_the_source(rest: Any) -> None:
    """webhook-source alone is enough, and must agree with event."""
    older = {"webhook-source": {"webhook-source-event-label-created": {}}}
    made = rest.call("POST", "webhooks", json=_wish(event=None, **older)).json()["webhook"]
    assert made["event"] == "LabelCreated"
    assert rest.call("POST", "webhooks", json=_wish(**older)).status_code == 400


@pytest.mark.parametrize(
    "wish",
    [
        _wish(event="WorkbookExploded"),
        _wish(url="ftp://example.org/x"),
        _wish(url=""),
        _wish(name=""),
        {},
        {"webhook": []},
    ],
)
def test_unclear_webhook_is_refused(rest: Any, wish: dict[str, Any]) -> None:
    """What cannot be delivered is not registered."""
    assert rest.call("POST", "webhooks", json=wish).json()["error"]["code"] == "400000"
    assert rest.get("webhooks")["webhooks"] == {}


def test_switching_off_has_a_reason_and_on_has_none(rest: Any) -> None:
    """isEnabled false without a reason gets Tableau's; a reason with isEnabled true is 400127."""
    luid = rest.call("POST", "webhooks", json=_wish()).json()["webhook"]["id"]
    off = rest.call("PUT", f"webhooks/{luid}", json=_wish(isEnabled=False)).json()["webhook"]
    assert (off["isEnabled"], off["statusChangeReason"]) == (False, "Webhook disabled by user")
    said = rest.call("PUT", f"webhooks/{luid}", json=_wish(isEnabled=False, statusChangeReason="too loud"))
    assert said.json()["webhook"]["statusChangeReason"] == "too loud"
    both = rest.call("PUT", f"webhooks/{luid}", json=_wish(isEnabled=True, statusChangeReason="x"))
    assert both.json()["error"]["code"] == "400127"
    on = rest.call("PUT", f"webhooks/{luid}", json=_wish(isEnabled=True)).json()["webhook"]
    assert (on["isEnabled"], on["statusChangeReason"]) == (True, "")


def test_test_hands_back_what_the_receiver_said(rest: Any, receiver: Any) -> None:
    """An empty body is sent; status and body come back inside the answer."""
    receiver.statuses = [418]
    luid = rest.call("POST", "webhooks", json=_wish(receiver.url)).json()["webhook"]["id"]
    assert rest.get(f"webhooks/{luid}/test") == {"webhookTestResult": {"id": luid, "status": 418, "body": "ok"}}
    assert [body for _, _, body in receiver.requests] == [b""]


def test_test_of_an_unreachable_address_is_408(rest: Any) -> None:
    """Tableau's own 408 stands for nobody there."""
    luid = rest.call("POST", "webhooks", json=_wish("http://127.0.0.1:1/")).json()["webhook"]["id"]
    assert rest.get(f"webhooks/{luid}/test")["webhookTestResult"]["status"] == 408


def test_missing_webhook(rest: Any) -> None:
    """404 to look at, 400113 to test."""
    assert rest.call("GET", "webhooks/nope").status_code == 404
    assert rest.call("DELETE", "webhooks/nope").status_code == 404
    assert rest.call("GET", "webhooks/nope/test").json()["error"]["code"] == "400113"


def test_only_administrators_may(simulator: Running, rest: Any) -> None:
    """Somebody without the role hears 403004."""
    simulator.world.home.user_named(simulator.world.config.username).site_role = "Creator"  # type: ignore[union-attr]
    assert rest.call("GET", "webhooks").json()["error"]["code"] == "403004"


def test_old_versions_have_no_webhooks(rest: Any) -> None:
    """Before 3.6 the address is unknown, and a version beyond the server's too."""
    assert rest.call("GET", "webhooks", version="3.5").json()["error"]["code"] == "404003"
    assert rest.call("GET", "webhooks", version="9.9").json()["error"]["code"] == "404001"
