"""Bytes -> Event, or why not; the matrix of bodies that Tableau, its test button and its enemies send."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhooks.event import MAX_DEPTH, Malformed, Unprocessable, fingerprint, parse
from webhooks.event_types import EVENT_TYPES

SIX = {
    "resource": "WORKBOOK",
    "event_type": "WorkbookCreated",
    "resource_name": "Sales",
    "site_luid": "6b7a4a9c-1111-4222-8333-444455556666",
    "resource_luid": "e3417b1c-0000-4000-8000-000000000001",
    "created_at": "2026-01-31T09:30:00Z",
}


def body(**changes: object) -> bytes:
    return json.dumps(SIX | changes).encode()


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_documented_type_is_an_event(event_type: str) -> None:
    """All 22 types of the catalogue come out as they came in."""
    event = parse(body(event_type=event_type))
    assert event is not None
    assert event.event_type == event_type


def test_catalogue_holds_22_types() -> None:
    """Tableau documents 22."""
    assert len(EVENT_TYPES) == 22


def test_unknown_type_and_fields_are_kept() -> None:
    """Tableau's list grows without us."""
    event = parse(body(event_type="FlowCompleted", brand_new={"a": [1]}))
    assert event is not None
    assert event.event_type == "FlowCompleted"
    assert event.payload["brand_new"] == {"a": [1]}


@pytest.mark.parametrize(
    "raw", [b"", b"  \r\n", b"{}", b" {} ", b"null", b'""', b'{"event_type":"Test"}', body(event_type="Test")]
)
def test_test_requests_are_no_events(raw: bytes) -> None:
    """However a test request looks, it is one."""
    assert parse(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"hello",
        b'{"event_type":"A"} trailing',
        b'{"event_type":"A","n":NaN}',
        b'{"event_type":"A","n":-Infinity}',
        b'{"event_type":"A","n":1e999}',
        b'{"event_type":"\xff"}',
        b'\xef\xbb\xbf{"event_type":"A"}',
        '{"event_type":"A"}'.encode("utf-16"),
        b'{"event_type":"\\ud800"}',
        b'{"\\udfff":1,"event_type":"A"}',
        b"[" * 60_000,
        b'{"event_type":"A","n":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
        b'{"event_type":"A","n":' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_not_json_in_utf8_is_malformed(raw: bytes) -> None:
    """NaN, infinity, lone surrogates and absurd nesting are not JSON either."""
    with pytest.raises(Malformed):
        parse(raw)


@pytest.mark.parametrize(
    "raw", [b"[]", b"[1]", b"5", b"true", b"0", b'"text"', b'{"a":1}', b'{"event_type":5}', b'{"event_type":null}']
)
def test_json_without_an_event_type_is_unprocessable(raw: bytes) -> None:
    """It is JSON, but nobody can say what happened."""
    with pytest.raises(Unprocessable):
        parse(raw)


def test_brackets_inside_a_string_are_no_nesting() -> None:
    """Depth is counted in the structure, not in the text."""
    assert parse(body(resource_name='[{"\\' * 200)) is not None


def test_values_come_out_unchanged() -> None:
    """Null stays null, an empty text stays empty, a number stays a number."""
    event = parse(body(resource_name=None, resource_luid="", site_luid=99))
    assert event is not None
    assert (event.resource_name, event.resource_luid, event.site_luid) == (None, "", 99)


def test_fingerprints_sort_by_time() -> None:
    """So that new events stand side by side in the index, whatever their order there costs."""
    times = ["nonsense", "2026-01-31T09:30:00Z", "2026-01-31T09:30:01.250Z", "2026-01-31 09:30:02", "2027-01-01T00:00Z"]
    marks = [fingerprint(SIX | {"created_at": time}) for time in times]
    assert marks == sorted(marks)
    assert {len(mark) for mark in [*marks, fingerprint(SIX | {"created_at": None}), fingerprint({})]} == {32}


def test_duplicates_share_a_fingerprint() -> None:
    """The order of keys, `text` and fields of the future make no new event."""
    again = dict(reversed(SIX.items())) | {"text": "posted at 09:30:00.941Z", "attempt": 2}
    assert fingerprint(SIX) == fingerprint(again)


@pytest.mark.parametrize("field", list(SIX))
def test_each_core_field_makes_another_event(field: str) -> None:
    """Two events in one second on different resources are two."""
    assert fingerprint(SIX) != fingerprint(SIX | {field: "other"})
    assert fingerprint(SIX) != fingerprint(SIX | {field: None})


def test_without_created_at_the_whole_body_counts() -> None:
    """Nothing says when it happened, so only the same body is the same event."""
    bare = {key: value for key, value in SIX.items() if key != "created_at"}
    assert fingerprint(bare) == fingerprint(dict(reversed(bare.items())))
    assert fingerprint(bare) != fingerprint(bare | {"text": "1"})


@pytest.mark.parametrize(
    ("changes", "content"),
    [
        ({"event_type": "WorkbookRefreshFailed", "resource": "EXTRACTS"}, "workbook"),
        ({"event_type": "DatasourceRefreshFailed", "resource": "EXTRACTS"}, "datasource"),
        ({"event_type": "LabelCreated", "resource": "DATASOURCE"}, "datasource"),
        ({"event_type": "AdminPromoted", "resource": "USER"}, "user"),
        ({"event_type": "Unheard", "resource": ["WORKBOOK"]}, None),
        ({"event_type": "Unheard", "resource": "EXTRACTS"}, None),
    ],
)
def test_content_kind_says_what_the_luid_names(changes: dict[str, object], content: str | None) -> None:
    """`resource` alone does not: it is EXTRACTS for every refresh."""
    event = parse(body(**changes))
    assert event is not None
    assert event.content_kind == content


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(raw: bytes) -> None:
    """Any bytes are an event, a test, or one of the two refusals."""
    with contextlib.suppress(Malformed, Unprocessable):
        parse(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is slow to generate input
@given(st.dictionaries(st.sampled_from([*SIX, "text", "more"]), JSON))
def test_no_json_breaks_the_parser(payload: dict[str, object]) -> None:
    """Whatever the fields hold."""
    with contextlib.suppress(Malformed, Unprocessable):
        parse(json.dumps(payload).encode())
