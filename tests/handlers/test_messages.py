"""How each event reads."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from notifiers import Link, Message
from tableau_rest.models import Reference, User, Workbook
from webhooks.clock import parse_time
from webhooks.event import Event
from webhooks.event_types import EVENT_TYPES
from webhooks.messages.event_message import (
    Known,
    check_template,
    compose,
    happened_at,
    moment,
)

Events = Callable[..., Event]
WORKBOOK = Workbook(
    "l", "Sales now", webpage_url="https://tableau.example/#/workbooks/1", project=Reference("p", "Reports")
)


def test_compose_says_what_is_known(event: Events) -> None:
    """Headline with the name at the time of the event; reason, project, owner, time, link; rule and event below."""
    happened = event("WorkbookRefreshFailed", resource="EXTRACTS")
    known = Known(WORKBOOK, "Finance/Reports", "Ann Lee (ann@example.org)", "Login failed.")
    assert compose(happened, known, rule="Finance") == Message(
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


def test_compose_names_the_publisher_of_what_is_new(event: Events) -> None:
    """The owner of something that was just created is who published it."""
    assert ("Published by", "Ann") in compose(event("DatasourceCreated"), Known(WORKBOOK, owner="Ann")).facts


def test_compose_names_people_as_tableau_does(event: Events) -> None:
    """For users the webhook's name may be anything; what Tableau says of the user counts."""
    user = User("l", "ann", "Ann Lee", "ann@example.org", "SiteAdministratorCreator")
    message = compose(event("AdminPromoted", resource="USER", resource_name=None), Known(user))
    assert message.title == "Now a site administrator: Ann Lee (ann@example.org)"
    assert ("Site role", "SiteAdministratorCreator") in message.facts


@pytest.mark.parametrize("event_type", [*EVENT_TYPES, "FlowCompleted"])
def test_compose_needs_nothing_but_the_webhook(event_type: str, event: Events) -> None:
    """Without a word from Tableau every event still makes a message with name, time and what could not be found."""
    happened = event(event_type, resource=EVENT_TYPES[event_type].resource if event_type in EVENT_TYPES else "FLOW")
    message = compose(happened, Known(problems=("the workbook is gone",)))
    assert message.title.endswith(": Sales")
    assert (message.text, message.facts) == ("The workbook is gone.", (("When", "2026-01-31 09:30 UTC"),))


@pytest.mark.parametrize("odd", [None, 7, ["a"], {"b": "c"}, "", "\u202e<!channel>"])
def test_compose_bears_any_json_in_a_field(odd: object, event: Events) -> None:
    """Whatever stands in the payload, there is a message."""
    message = compose(event("WorkbookCreated", resource_name=odd, resource_luid=odd, created_at=odd, resource=odd))
    assert message.title.startswith("Workbook created: ")


@pytest.mark.parametrize(
    ("odd", "shown"),
    [(["Umsatz", "Größe"], '["Umsatz", "Größe"]'), ({"b": None}, '{"b": null}'), (True, "true"), (7, "7")],
)
def test_odd_values_are_shown_as_they_came(odd: object, shown: str, event: Events) -> None:
    """As JSON, which is what was sent, and not in Python's way of writing."""
    message = compose(event("WorkbookCreated", resource_name=odd, created_at=odd))
    assert message.title == f"Workbook created: {shown}"
    assert ("When", shown) in message.facts


def test_compose_uses_the_rules_own_words(event: Events) -> None:
    """A rule's title and text replace ours; facts and link stay, and so does what could not be found out."""
    known = Known(WORKBOOK, "Finance", "Ann", "Login failed.", ("something is missing",))
    message = compose(event(), known, title="{name} in {project}!", text="{owner}: {reason} {{really}} {link}")
    assert message.title == "Sales in Finance!"
    assert message.text == "Ann: Login failed. {really} https://tableau.example/#/workbooks/1\nSomething is missing."
    assert message.link


def test_compose_does_not_obey_braces_in_a_name(event: Events) -> None:
    """A workbook called {owner.__class__} is only called that."""
    assert compose(event(resource_name="{owner}"), title="{name}").title == "{owner}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{nmae}", "{nmae} is not known; did you mean name?"),
        ("{name.__class__}", "{name.__class__} is not known; choose one of: created_at"),
        ("{name!r}", "{name} takes nothing behind its name"),
        ("{name:>999999999}", "{name} takes nothing behind its name"),
        ("{}", "{} is not known; choose one of: created_at, event_type, link"),
        ("{name", "write {{ and }} for braces that are meant as such"),
        ("name}", "write {{ and }} for braces that are meant as such"),
    ],
)
def test_template_refuses_what_is_not_known(text: str, message: str) -> None:
    """A wrong placeholder is found when the rules are read, with what would be right."""
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
def test_moment_is_shown_in_utc(given: object, shown: str) -> None:
    """Times are shown in UTC; what is no time stays as it is."""
    assert moment(given) == shown


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server whose clock shows the time of New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_time_without_a_zone_is_utc_everywhere() -> None:
    """Wherever the server stands, a time without a zone means UTC, in messages and in questions to Tableau."""
    assert moment("2026-01-31T09:30:00") == "2026-01-31 09:30 UTC"
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
        ("yesterday", RECEIVED),
        ({"x": 1}, RECEIVED),
        (None, RECEIVED),
    ],
)
def test_happened_at_is_a_time_that_can_be_right(given: object, at: datetime, event: Events) -> None:
    """A time that is none, or that is far from when the webhook came, is replaced by when it came."""
    assert happened_at(replace(event(created_at=given), received_at=RECEIVED)) == at
