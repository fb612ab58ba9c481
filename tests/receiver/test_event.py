"""Parsing: the bodies that Tableau, its test button and attackers send."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhooks.event import MAX_DEPTH, Malformed, Unprocessable, build, fingerprint, parse
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
    """All 22 documented types are accepted unchanged."""
    event = parse(body(event_type=event_type))
    assert event is not None
    assert event.event_type == event_type


def test_table_has_22_types() -> None:
    """Tableau documents 22."""
    assert len(EVENT_TYPES) == 22


def test_unknown_type_and_fields_are_kept() -> None:
    """Tableau's list grows, and future fields are stored."""
    event = parse(body(event_type="FlowCompleted", brand_new={"a": [1]}))
    assert event is not None
    assert event.event_type == "FlowCompleted"
    assert event.payload["brand_new"] == {"a": [1]}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  \r\n",
        b"{}",
        b" {} ",
        b"null",
        b'""',
        b'{"event_type":"Test"}',
        body(event_type="Test"),
        b"\xef\xbb\xbf",
    ],
)
def test_test_requests_are_not_events(raw: bytes) -> None:
    """Every body that a test request may have is recognized."""
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
        '{"event_type":"A"}'.encode("utf-16"),
        b'{"event_type":"\\ud800"}',
        b'{"\\udfff":1,"event_type":"A"}',
        b"[" * 60_000,
        b'{"event_type":"A","n":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
        b'{"event_type":"A","n":' + b"9" * 5_000 + b"}",
    ],
)
def test_anything_but_json_in_utf8_is_malformed(raw: bytes) -> None:
    """NaN, infinity, lone surrogates and excessive nesting are refused as well."""
    with pytest.raises(Malformed):
        parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"[1]",
        b"5",
        b"true",
        b"0",
        b'"text"',
        b'{"a":1}',
        b'{"event_type":5}',
        b'{"event_type":null}',
        b'{"event_type":""}',
        b'{"event_type":" "}',
    ],
)
def test_json_without_an_event_type_is_unprocessable(raw: bytes) -> None:
    """Without a string event_type it is unknown what happened."""
    with pytest.raises(Unprocessable):
        parse(raw)


def test_brackets_inside_a_string_are_not_nesting() -> None:
    """The depth is that of the structure."""
    assert parse(body(resource_name='[{"\\' * 200)) is not None


def test_values_come_out_unchanged() -> None:
    """Null stays null, an empty text stays empty, and a number stays a number."""
    event = parse(body(resource_name=None, resource_luid="", site_luid=99))
    assert event is not None
    assert (event.resource_name, event.resource_luid, event.site_luid) == (None, "", 99)


def test_white_space_around_identifiers_is_removed() -> None:
    """No rule and no look-up would match a type or a LUID with it. A name may begin with a space."""
    padded = {field: f" {value}\n" for field, value in SIX.items()}
    event, plain = parse(body(**padded, text=" posted ")), parse(body(resource_name=padded["resource_name"]))
    assert event
    assert plain
    assert dict(event.payload) == {**plain.payload, "text": " posted "}
    assert (event.event_type, event.fingerprint) == (plain.event_type, plain.fingerprint)
    assert parse(b'{"event_type": " Test "}') is None


def test_fingerprints_sort_by_time() -> None:
    """New events are neighbours in the index, which keeps inserting cheap."""
    times = ["nonsense", "2026-01-31T09:30:00Z", "2026-01-31T09:30:01.250Z", "2026-01-31 09:30:02", "2027-01-01T00:00Z"]
    marks = [fingerprint(SIX | {"created_at": time}) for time in times]
    assert marks == sorted(marks)
    assert {len(mark) for mark in [*marks, fingerprint(SIX | {"created_at": None}), fingerprint({})]} == {32}


def test_duplicates_share_a_fingerprint() -> None:
    """The order of keys, `text` and future fields make no new event."""
    again = dict(reversed(SIX.items())) | {"text": "posted at 09:30:00.941Z", "attempt": 2}
    assert fingerprint(SIX) == fingerprint(again)


@pytest.mark.parametrize("field", list(SIX))
def test_each_core_field_makes_another_event(field: str) -> None:
    """Two events of the same second about different resources are different."""
    assert fingerprint(SIX) != fingerprint(SIX | {field: "other"})
    assert fingerprint(SIX) != fingerprint(SIX | {field: None})


def test_without_created_at_the_whole_body_counts() -> None:
    """If the time is missing, only the same payload is the same event."""
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
    """`resource` alone does not say it: it is EXTRACTS for every refresh."""
    event = parse(body(**changes))
    assert event is not None
    assert event.content_kind == content


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(raw: bytes) -> None:
    """Any bytes are an event, a test request, or refused in one of two ways."""
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
    """The fields may hold any JSON value."""
    with contextlib.suppress(Malformed, Unprocessable):
        parse(json.dumps(payload).encode())


def test_byte_order_mark_changes_nothing_but_the_body() -> None:
    """Payload and fingerprint are the same; the body is stored as sent."""
    marked = parse(b"\xef\xbb\xbf" + body())
    plain = parse(body())
    assert marked
    assert plain
    assert (marked.payload, marked.fingerprint) == (plain.payload, plain.fingerprint)
    assert marked.body.endswith(plain.body)


def test_second_byte_order_mark_is_malformed() -> None:
    """Only the one at the beginning is not part of the text."""
    with pytest.raises(Malformed):
        parse(b"\xef\xbb\xbf\xef\xbb\xbf" + body())


def test_hint_is_cheap_and_short() -> None:
    """A payload with many or long keys is not compared whole, and its keys are not repeated in the error."""
    payload = {f"event_typ{number}" * 9: number for number in range(3000)}
    with pytest.raises(Unprocessable) as raised:
        parse(json.dumps(payload).encode())
    assert len(str(raised.value)) < 100


def test_own_events_have_their_origin() -> None:
    """An event that the server creates says so; a received one never does, whatever its payload claims."""
    assert build("WorkbookCreated", origin="reconciled").origin == "reconciled"
    received = parse(body(origin="reconciled"))
    assert received
    assert received.origin is None
