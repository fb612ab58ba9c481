"""Parameters of the actions that change or start something in Tableau."""

from __future__ import annotations

import pytest

from webhooks.registry import registry
from webhooks.rules import RulesError, parse


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ('label = ""', 'label: value: "" is empty or too short'),
        ('label = { message = "x" }', "label: value is missing"),
        ('label = { value = "stale", messages = "x" }', "messages is not known here; did you mean message?"),
        ('label = { value = "stale", per_day = 0 }', "per_day: 0 should be 1 or more"),
        ("certify = { note = 5 }", "note: 5 should be text in quotes"),
        ('uncertify = { dry_run = "yes please" }', "dry_run:"),
        ("unlabel = true", "unlabel: value is missing"),
        ("cancel = { after = 2000 }", "after: 2000 should be 1380 or less"),
        ('downstream = "sms"', "by:"),
        ("transfer = {}", "write the new owner or project"),
        ('run_task = "Sales"', "task:"),
        ("run_flow = true", "flow is missing"),
        ("pause = true", "schedule is missing"),
        ('post = "https://{{ name }}.example.org/x"', "the host cannot depend on the event"),
        ('post = "https://ann:secret@example.org"', "must not contain a password"),
        ('post = "https://example.org/{nme}"', "unknown placeholder {nme}; did you mean name?"),
        ('post = { url = "https://example.org", headers = { Authorization = "Bearer x" } }', "POST_TOKENS"),
        ('post = { url = "https://example.org", headers = { Host = "x" } }', "the header Host cannot be set"),
        ("post = { url = 'https://example.org', body = '{\"a\": nul}' }", "is not JSON: "),
        ('post = { url = "https://example.org", body = { a = "{{ run.reason }}" } }', "cannot depend on run"),
        ('post = { url = "https://example.org", body = { at = 2026-01-31 } }', "write 2026-01-31 in quotes"),
        ('post = { url = "https://example.org", status = 99 }', "status: 99 should be 100 or more"),
        ('resume = { schedule = "Daily", day = 2 }', "day is not known here"),
    ],
)
def test_invalid_parameters_are_reported_with_their_line(action: str, problem: str) -> None:
    """The error says what is wrong and has the line of its key."""
    registry.load()
    with pytest.raises(RulesError) as caught:
        parse(f'[[rule]]\nname = "R"\non = "*"\n{action}\n', registry.actions)
    assert problem in str(caught.value)
    assert "(line 4)" in str(caught.value)
