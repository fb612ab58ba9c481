"""The table of event types: what each documented type means, and what is derived for unknown ones."""

from __future__ import annotations

import pytest

from webhooks.event_types import (
    DIGEST_DUE,
    EVENT_TYPES,
    HEARTBEAT_DUE,
    JOB_LIST_EVENT_TYPES,
    MONITOR_EVENT_TYPES,
    TIMER_DUE,
    EventType,
    content_event_type,
    event_type,
    refresh_event_type,
)


@pytest.mark.parametrize(
    ("name", "headline", "severity"),
    [
        ("WorkbookCreated", "Workbook created", "info"),
        ("WorkbookRefreshFailed", "Workbook refresh failed", "bad"),
        ("DatasourceRefreshSucceeded", "Data source refresh succeeded", "good"),
        ("DatasourceDeleted", "Data source deleted", "warning"),
        ("AdminPromoted", "Now a site administrator", "warning"),
        ("AdminDemoted", "No longer a site administrator", "warning"),
        ("LabelUpdated", "Label updated", "info"),
        ("FlowRunCompleted", "Flow run completed", "info"),
        ("PDFExport2Failed", "PDF export 2 failed", "bad"),
        ("something_else", "Something else", "info"),
        ("…", "Event", "info"),
        ("", "Event", "info"),
    ],
)
def test_headline_and_severity_follow_from_the_event_type(name: str, headline: str, severity: str) -> None:
    """Documented and future event types have a headline in words and a severity."""
    assert (event_type(name).headline, event_type(name).severity) == (headline, severity)


@pytest.mark.parametrize("documented", EVENT_TYPES.values(), ids=lambda one: one.name)
def test_derivation_agrees_with_the_table(documented: EventType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A documented type would be derived as the table has it, so a future type of the same form is right as well."""
    monkeypatch.setattr("webhooks.event_types.EVENT_TYPES", {})
    derived = event_type(documented.name)
    assert (derived.subject, derived.verb, derived.severity, derived.refresh, derived.resource) == (
        documented.subject,
        documented.verb,
        documented.severity,
        documented.refresh,
        documented.resource,
    )


@pytest.mark.parametrize(
    ("name", "kind", "gone", "owned", "refresh"),
    [
        ("WorkbookDeleted", "workbook", True, True, None),
        ("ViewDeleted", "view", True, True, None),
        ("UserDeleted", "user", True, False, None),
        ("LabelDeleted", None, False, True, None),
        ("AdminDemoted", "user", False, False, None),
        ("SiteUpdated", "site", False, False, None),
        ("DatasourceRefreshStarted", "datasource", False, True, "started"),
        ("WorkbookRefreshFailed", "workbook", False, True, "failed"),
        ("FlowRefreshSucceeded", "flow", False, True, "succeeded"),
        ("FlowRunFailed", "flow", False, True, None),
        ("SubscriptionFailed", "subscription", False, True, None),
        ("BridgeRefreshFailed", None, False, True, None),
        ("MetricRefreshSucceeded", None, False, False, "succeeded"),
        ("WorkbookRefreshCancelled", "workbook", False, True, None),
        ("WebhooksDrifted", None, False, False, None),
    ],
)
def test_event_type_says_what_it_is_about(
    name: str, kind: str | None, gone: bool, owned: bool, refresh: str | None
) -> None:
    """Kind of content, whether it is gone, whether it has an owner and a project, and the outcome of a refresh."""
    meaning = event_type(name)
    known = (meaning.kind, meaning.content_gone, meaning.has_owner_and_project, meaning.refresh)
    assert known == (kind, gone, owned, refresh)


def test_only_publications_and_deletions_happen_once() -> None:
    """A label may be set and removed again and again."""
    once = {one.name for one in EVENT_TYPES.values() if one.happens_once}
    created_or_deleted = {name for name in EVENT_TYPES if name.endswith(("Created", "Deleted"))}
    assert once == created_or_deleted - {"LabelCreated", "LabelDeleted"}


def test_types_of_the_monitor_are_no_types_of_tableau() -> None:
    """They are known by name, warn (except for what is due at a time), and are unknown to Tableau."""
    assert not MONITOR_EVENT_TYPES.keys() & EVENT_TYPES.keys()
    assert all(event_type(name).from_monitor for name in MONITOR_EVENT_TYPES)
    findings = [one for one in MONITOR_EVENT_TYPES.values() if one.name not in {DIGEST_DUE, HEARTBEAT_DUE, TIMER_DUE}]
    assert {one.severity for one in findings} == {"warning"}
    assert not any(one.from_monitor for one in EVENT_TYPES.values())


def test_types_from_the_job_list_are_no_types_of_webhooks() -> None:
    """They have a severity and say where they come from, and Tableau is never asked for a webhook for them."""
    assert not JOB_LIST_EVENT_TYPES.keys() & (EVENT_TYPES.keys() | MONITOR_EVENT_TYPES.keys())
    assert all(one.from_job_list for one in JOB_LIST_EVENT_TYPES.values())
    assert not any(one.from_job_list for one in (*EVENT_TYPES.values(), *MONITOR_EVENT_TYPES.values()))
    severities = {name: one.severity for name, one in JOB_LIST_EVENT_TYPES.items()}
    assert severities == {name: "good" if "Succeeded" in name else "bad" for name in JOB_LIST_EVENT_TYPES}


def test_event_types_are_found_by_kind_and_verb() -> None:
    """Missed events get their documented names; there is no refresh of a view."""
    assert refresh_event_type("workbook", "failed").name == "WorkbookRefreshFailed"
    assert content_event_type("datasource", "deleted").name == "DatasourceDeleted"
    with pytest.raises(KeyError, match="view"):
        refresh_event_type("view", "failed")


def test_table_cannot_be_changed() -> None:
    """No handler can change what an event type means for the others."""
    with pytest.raises(TypeError):
        EVENT_TYPES["Mine"] = event_type("Mine")  # type: ignore[index]
    with pytest.raises(AttributeError):
        event_type("Mine").verb = "other"  # type: ignore[misc]
