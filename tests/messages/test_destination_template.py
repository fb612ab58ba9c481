"""Test destinations that depend on the event."""

from __future__ import annotations

import re

import pytest

from tests.support.handler_context import MakeEvent
from webhooks.messages.destination_template import check_destination, resolve_destination
from webhooks.messages.event_message import Details, event_values


@pytest.mark.parametrize(
    ("text", "project", "destination"),
    [
        ("slack:#{{ resource.project | slug }}", "Finance/Year End (EU)", "slack:#finance-year-end-eu"),
        ("slack:{{ owner }}", "", "slack:ann@example.org"),
        ("slack:#{{ resource.project | default('bi') | slug }}", "", "slack:#bi"),
        ("slack:#bi-{% if event.test %}test{% else %}live{% endif %}", "", "slack:#bi-live"),
    ],
)
def test_values_of_the_event_are_filled_in(text: str, project: str, destination: str, event: MakeEvent) -> None:
    """The result is checked like any other destination."""
    values = event_values(event(), Details(project=project, owner="ann@example.org"))
    assert resolve_destination(check_destination(text), values) == destination


@pytest.mark.parametrize(
    "text", ["slack:#{{ project | slug }}", "slack:#a b {{ name }}", "slack:#{{ resource.tags[0] }}"]
)
def test_absent_or_unsuitable_values_are_errors(text: str, event: MakeEvent) -> None:
    """No message goes to a place that no one has named."""
    values = event_values(event(), Details())
    with pytest.raises(ValueError, match=r"project|is not|has no attribute"):
        resolve_destination(text, values)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{ owner }}", "does not begin with one of "),
        ("slak:#{{ project }}", "does not begin with one of "),
        ("slack:#{{ run.reason_class }}", "a destination cannot depend on run, only on name, event_type"),
        ("slack:#{{ projekt }}", "unknown name projekt; did you mean project?"),
        ("slack:#{{ project.x() }}", "a template cannot contain calls"),
    ],
)
def test_invalid_templates_are_refused_when_the_rules_are_read(text: str, error: str) -> None:
    """Each with what would be right."""
    with pytest.raises(ValueError, match=re.escape(error)):
        check_destination(text)
