"""Fixtures for handlers: an inbox with a claimed job, recording notifiers, the context of an attempt."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from notifiers import Capabilities, Message, NotifierError, Picture, Receipt
from webhooks.config.settings import Settings
from webhooks.context import Context
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob

LUID = "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e"
SITE_LUID = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"
NOW = datetime(2026, 1, 31, 9, 30, 5, tzinfo=UTC)

MakeEvent = Callable[..., Event]
MakeJob = Callable[..., Job]
MakeContext = Callable[..., Context]
MakeError = Callable[[], Exception]


class RecordingNotifier:
    """A notifier that records what it sends and first raises the given errors."""

    label = "Recorder"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.capabilities = Capabilities(picture=True)
        # The outcomes of looking up a delivery.
        self.deliveries: list[bool | Exception] = []
        self.sent: list[tuple[str | None, Message]] = []
        self.attached: list[tuple[str, Picture]] = []
        self.errors: list[Exception] = []
        self.picture_errors: list[Exception] = []
        self.units = 1

    def send(self, message: Message, to: str | None) -> Receipt:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append((to, message))
        return Receipt(to or "default", str(len(self.sent)))

    def billed_units(self, message: Message) -> int:
        return self.units

    def service_of(self, to: str | None) -> str:
        return self.kind

    def limits(self, operation: str, to: str | None) -> tuple[()]:
        return ()

    def is_delivered(self, receipt: Receipt) -> bool:
        outcome = self.deliveries.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        if self.picture_errors:
            raise self.picture_errors.pop(0)
        self.attached.append((receipt.id, picture))


class RecordingNotifiers(dict[str, RecordingNotifier]):
    """Slack, Twilio and the console; `with_default_address` names the kinds that need no address."""

    with_default_address: tuple[str, ...] = ("slack", "console")

    def __init__(self) -> None:
        super().__init__({kind: RecordingNotifier(kind) for kind in ("slack", "twilio", "console")})

    @property
    def titles(self) -> list[str]:
        return [message.title for _, message in self["slack"].sent]


def make_event(event_type: str = "WorkbookCreated", *, second: int = 0, **fields: object) -> Event:
    """Return an event; `fields` replace those of the payload."""
    payload = {
        "event_type": event_type,
        "resource": "WORKBOOK",
        "resource_name": "Sales",
        "resource_luid": LUID,
        "site_luid": SITE_LUID,
        "created_at": f"2026-01-31T09:30:{second:02}Z",
        **fields,
    }
    event = parse(json.dumps(payload).encode())
    assert event
    return event


@pytest.fixture
def event() -> MakeEvent:
    """Create events, each with a time of its own."""
    seconds = itertools.count()
    return lambda event_type="WorkbookCreated", **fields: make_event(event_type, second=next(seconds), **fields)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """Open an inbox in its own SQLite file."""
    opened = Inbox.open(f"sqlite:///{tmp_path / 'inbox.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def notifiers() -> RecordingNotifiers:
    return RecordingNotifiers()


@pytest.fixture
def job(inbox: Inbox, event: MakeEvent) -> MakeJob:
    """Store an event, plan one job for it and claim that job."""

    def make(happened: Event | None = None, **new: Any) -> Job:
        planned = NewJob(**{"key": "R/notify/slack", "handler": "notify", "rule": "R", **new})
        inbox.events.receive(happened or event())
        inbox.events.plan(lambda _: [planned])
        (claimed,) = inbox.jobs.claim("tests", 1, 60)
        return claimed

    return make


def no_tableau() -> Any:
    raise AssertionError("this test must not ask Tableau")


@pytest.fixture
def settings() -> Settings:
    """Return the settings of a server with a PAT, independent of the environment."""
    pat: Mapping[str, Any] = {"tableau_pat_name": "bot", "tableau_pat_secret": "secret"}
    return Settings(_env_file=None, tableau_domain="https://tableau.example", tableau_auth="pat", **pat)


@pytest.fixture
def context(inbox: Inbox, notifiers: RecordingNotifiers, settings: Settings) -> MakeContext:
    """Create the context of an attempt; `attempts` is its number."""
    parts = {"inbox": inbox, "tableau": no_tableau, "notifiers": notifiers, "settings": settings, "clock": lambda: NOW}

    def make(job: Job, *, attempts: int = 1, **given: Any) -> Context:
        return Context(replace(job, attempts=attempts), **{**parts, **given})

    return make


@pytest.fixture
def transient_error() -> MakeError:
    return lambda: NotifierError("Slack: status 503")


@pytest.fixture
def permanent_error() -> MakeError:
    return lambda: NotifierError("Slack: not_in_channel", permanent=True)
