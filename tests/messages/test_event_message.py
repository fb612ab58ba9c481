"""The messages about events."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from notifiers import Link, Message
from tableau_rest.models import Reference, User, Workbook
from tests.support.handler_context import MakeEvent
from webhooks.clock import parse_time
from webhooks.event import RECONCILED, happened_at
from webhooks.event_types import RULE_EVENT_TYPES
from webhooks.messages.event_message import Details, event_message, format_time
from webhooks.messages.templates import check_template

WORKBOOK = Workbook(
    "l", "Sales now", webpage_url="https://tableau.example/#/workbooks/1", project=Reference("p", "Reports")
)


def test_message_has_all_details(event: MakeEvent) -> None:
    """Headline with the name at the time of the event; reason, project, owner, time, link; rule and event type."""
    failed = event("WorkbookRefreshFailed", resource="EXTRACTS")
    details = Details(WORKBOOK, "Finance/Reports", "Ann Lee (ann@example.org)", "Login failed.")
    assert event_message(failed, details, rule="Finance") == Message(
        title="Workbook refresh failed: Sales",
        text="Login failed.",
        facts=(
            ("Project", "Finance/Reports"),
            ("Owner", "Ann Lee (ann@example.org)"),
            ("When", "2026-01-31 09:30 UTC"),
        ),
        link=Link("https://tableau.example/#/workbooks/1", "Open in Tableau"),
        severity="bad",
        footer="Finance · WorkbookRefreshFailed",
    )


def test_message_names_the_publisher_of_new_content(event: MakeEvent) -> None:
    """The owner of content that was just created is its publisher."""
    assert ("Published by", "Ann") in event_message(event("DatasourceCreated"), Details(WORKBOOK, owner="Ann")).facts


def test_message_says_that_an_event_comes_from_the_job_list(event: MakeEvent) -> None:
    """No webhook was missed. The payload cannot claim it: an event of `flask trigger` has the type only."""
    posted = event("FlowRunFailed", resource="FLOW", origin=RECONCILED)
    assert event_message(posted, rule="R").footer == "R · FlowRunFailed"
    assert event_message(replace(posted, origin=RECONCILED), rule="R").footer == (
        "R · FlowRunFailed · from Tableau's job list"
    )


def test_message_names_users_as_tableau_does(event: MakeEvent) -> None:
    """The webhook's name of a user may be anything; Tableau's own is used."""
    user = User("l", "ann", "Ann Lee", "ann@example.org", "SiteAdministratorCreator")
    message = event_message(event("AdminPromoted", resource="USER", resource_name=None), Details(user))
    assert message.title == "Now a site administrator: Ann Lee (ann@example.org)"
    assert ("Site role", "SiteAdministratorCreator") in message.facts


@pytest.mark.parametrize("event_type", [*RULE_EVENT_TYPES, "FlowCompleted"])
def test_message_needs_nothing_but_the_webhook(event_type: str, event: MakeEvent) -> None:
    """Without details from Tableau every event still makes a message with name, time and the problem."""
    known = RULE_EVENT_TYPES.get(event_type)
    happened = event(event_type, resource=known.resource if known else "FLOW")
    message = event_message(happened, Details(problems=("the workbook is gone",)))
    assert message.title.endswith(": Sales")
    advice = [known.advice] if known and known.advice else []
    assert (message.text, message.facts) == (
        "\n".join([*advice, "The workbook is gone."]),
        (("When", "2026-01-31 09:30 UTC"),),
    )


@pytest.mark.parametrize("odd", [None, 7, ["a"], {"b": "c"}, "", "\u202e<!channel>"])
def test_message_accepts_any_json_in_a_field(odd: object, event: MakeEvent) -> None:
    """Every payload makes a message."""
    message = event_message(
        event("WorkbookCreated", resource_name=odd, resource_luid=odd, created_at=odd, resource=odd)
    )
    assert message.title.startswith("Workbook created: ")


@pytest.mark.parametrize(
    ("odd", "shown"),
    [(["Umsatz", "Größe"], '["Umsatz", "Größe"]'), ({"b": None}, '{"b": null}'), (True, "true"), (7, "7")],
)
def test_unexpected_values_are_shown_as_json(odd: object, shown: str, event: MakeEvent) -> None:
    """They look as in the request, not as in Python."""
    message = event_message(event("WorkbookCreated", resource_name=odd, created_at=odd))
    assert message.title == f"Workbook created: {shown}"
    assert ("When", shown) in message.facts


def test_message_uses_the_title_and_text_of_the_rule(event: MakeEvent) -> None:
    """They replace the standard ones; facts, link and problems stay."""
    details = Details(WORKBOOK, "Finance", "Ann", "Login failed.", ("something is missing",))
    message = event_message(event(), details, title="{name} in {project}!", text="{owner}: {reason} {{really}} {link}")
    assert message.title == "Sales in Finance!"
    assert message.text == "Ann: Login failed. {really} https://tableau.example/#/workbooks/1\nSomething is missing."
    assert message.link


def test_braces_in_a_name_are_literal(event: MakeEvent) -> None:
    """A name cannot contain placeholders."""
    assert event_message(event(resource_name="{owner}"), title="{name}").title == "{owner}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{nmae}", "unknown placeholder {nmae}; did you mean name?"),
        ("{name.__class__}", "unknown placeholder {name.__class__}; choose one of: created_at"),
        ("{name!r}", "{name} does not accept a format or conversion"),
        ("{name:>999999999}", "{name} does not accept a format or conversion"),
        ("{}", "unknown placeholder {}; choose one of: created_at, event_type, link"),
        ("{name", "write {{ and }} for literal braces"),
        ("name}", "write {{ and }} for literal braces"),
    ],
)
def test_template_refuses_an_unknown_placeholder(text: str, message: str) -> None:
    """A wrong placeholder is reported when the rules are read, with a suggestion."""
    with pytest.raises(ValueError, match=re.escape(message)):
        check_template(text)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-01-31T09:30:00Z", "2026-01-31 09:30 UTC"),
        ("2026-01-31T09:30:00+02:00", "2026-01-31 07:30 UTC"),
        ("2026-01-31T09:30:00", "2026-01-31 09:30 UTC"),
        ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00+05:00"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59-05:00"),
        ("yesterday", "yesterday"),
        (None, ""),
        (7, "7"),
    ],
)
def test_time_is_shown_in_utc(given: object, shown: str) -> None:
    """Times are shown in UTC; other values stay unchanged."""
    assert format_time(given) == shown


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Berlin", "2026-07-01 11:30 CEST"),
        ("Asia/Kolkata", "2026-07-01 15:00 IST"),
        ("UTC", "2026-07-01 09:30 UTC"),
    ],
)
def test_time_is_shown_in_the_time_zone(zone: str, shown: str, event: MakeEvent) -> None:
    """In the facts and in a rule's own text; a time at the end of the calendar stays unchanged."""
    message = event_message(event(created_at="2026-07-01T09:30:00Z"), text="{created_at}", zone=ZoneInfo(zone))
    assert ("When", shown) in message.facts
    assert message.text == shown
    assert format_time("9999-12-31T23:59:59Z", ZoneInfo("Asia/Tokyo")) == "9999-12-31T23:59:59Z"


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the time zone of New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_time_without_a_zone_is_utc_everywhere() -> None:
    """In every time zone of the server, a time without a zone is UTC, in messages and in requests to Tableau."""
    assert format_time("2026-01-31T09:30:00") == "2026-01-31 09:30 UTC"
    assert parse_time("2026-01-31T09:30:00") == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


RECEIVED = datetime(2026, 1, 31, 9, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-20T09:30:00", datetime(2026, 1, 20, 9, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", RECEIVED),
        ("0001-01-01T00:00:00+05:00", RECEIVED),
        ("9999-12-31T23:59:59Z", RECEIVED),
        ("2026-01-31T09:40:00Z", datetime(2026, 1, 31, 9, 40, tzinfo=UTC)),
        ("2026-01-31T09:42:00Z", RECEIVED),
        ("yesterday", RECEIVED),
        ({"x": 1}, RECEIVED),
        (None, RECEIVED),
    ],
)
def test_happened_at_replaces_impossible_times(given: object, at: datetime, event: MakeEvent) -> None:
    """An invalid time, or one far from the receipt, is replaced by the time of the receipt."""
    assert happened_at(replace(event(created_at=given), received_at=RECEIVED)) == at


def test_reconciled_event_is_marked(event: MakeEvent) -> None:
    """The message of an event whose webhook was missed says so."""
    assert event_message(replace(event(), origin=RECONCILED)).footer.endswith(
        "WorkbookCreated · missed webhook, found by reconciliation"
    )


@pytest.mark.parametrize(
    ("title", "expected"), [(None, "[Test] Workbook created: Sales"), ("{name}!", "[Test] Sales!")]
)
def test_event_of_trigger_is_marked_as_a_test(title: str | None, expected: str, event: MakeEvent) -> None:
    """Its headline says so, also if the rule has its own."""
    assert event_message(event(test=True), title=title).title == expected
