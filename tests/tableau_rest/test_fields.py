"""Any bytes and any JSON are read or refused, and never raise another error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tableau_rest import TableauError, models
from tableau_rest.protocol import fields, responses

NOW = datetime(2026, 1, 31, tzinfo=UTC)
NAMES = st.sampled_from(
    """id name owner project tags tag label views view workbook content type createdAt completedAt finishCode notes text
    statusNotes statusNote schedule extractRefresh flowRun isEnabled webhook-source webhook-destination size recipients
    recipient user group capabilities capability linkedTaskSteps contentId""".split()  # noqa: SIM905 - a list would have 33 lines
)
JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["true", "1", "nan"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)
READERS = [getattr(models, name).from_json for name in models.__all__ if hasattr(getattr(models, name), "from_json")]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is slow to generate input
@given(data=st.dictionaries(NAMES, JSON, max_size=10))
def test_every_model_reads_any_object(data: dict[str, Any]) -> None:
    """No JSON object makes a model fail."""
    for read in READERS:
        assert repr(read(data))
    assert isinstance(list(models.Permission.from_grant(data)), list)


def read_or_refused(body: bytes) -> bool:
    """Return whether the body is a document, or an error with a text."""
    try:
        return isinstance(responses.document(body), dict)
    except TableauError as error:
        return bool(str(error))


@settings(deadline=None)
@given(body=st.binary(max_size=300))
def test_any_bytes_become_a_document_or_an_error(body: bytes) -> None:
    """The error is a TableauError with a readable text."""
    assert read_or_refused(body)
    assert responses.error(500, {"Retry-After": body.decode("latin-1")}, body, now=NOW).status == 500


@settings(deadline=None)
@given(body=st.text(alphabet='<>/="abc &;!-[]?x', max_size=60))
def test_any_markup_becomes_a_document_or_an_error(body: str) -> None:
    """So do broken XML and HTML."""
    assert read_or_refused(body.encode())


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ({"tasks": {"task": [{"id": 1}, {"id": 2}]}}, 2),
        ({"tasks": {"task": {"id": 1}}}, 1),
        ({"tasks": [{"id": 1}]}, 1),
        ({"tasks": {}}, 0),
        ({"tasks": None}, 0),
        ({}, 0),
        ({fields.BARE: [{"id": 1}, {"id": 2}]}, 2),
    ],
)
def test_a_list_is_found_in_every_shape(shape: dict[str, Any], found: int) -> None:
    """All shapes were sent by real servers."""
    assert len(list(fields.objects(shape, "tasks", "task"))) == found


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00.941Z", datetime(2026, 1, 31, 9, 30, 0, 941_000, tzinfo=UTC)),
        ("2026-01-31T11:30:00+02:00", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", None),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_times_are_in_utc(value: object, time: datetime | None) -> None:
    """A text that is not a time is None."""
    assert fields.timestamp({"at": value}, "at") == time
