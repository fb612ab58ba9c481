"""A real inbox with a claimed job in it, and notifiers that remember what they were told."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import simulator
from notifiers import Message, NotifierError, Picture, Receipt
from tests.handlers.scene import Scene
from webhooks.config.settings import Settings
from webhooks.context import Context
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.registry import registry

LUID = "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e"
NOW = datetime(2026, 1, 31, 9, 30, 5, tzinfo=UTC)


class Recording:
    """A notifier that keeps what it was told, and fails as often as it is told to."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.sent: list[tuple[str | None, Message]] = []
        self.attached: list[tuple[str, Picture]] = []
        self.troubles: list[Exception] = []
        self.picture_troubles: list[Exception] = []

    def send(self, message: Message, to: str | None) -> Receipt:
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append((to, message))
        return Receipt(to or "default", str(len(self.sent)))

    def attach(self, picture: Picture, receipt: Receipt) -> None:
        if self.picture_troubles:
            raise self.picture_troubles.pop(0)
        self.attached.append((receipt.id, picture))


class Board(dict[str, Recording]):
    """Slack and the console, of which `with_default_address` says which need no address."""

    with_default_address: tuple[str, ...] = ("slack", "console")

    def __init__(self) -> None:
        super().__init__({kind: Recording(kind) for kind in ("slack", "twilio", "console")})

    @property
    def titles(self) -> list[str]:
        return [message.title for _, message in self["slack"].sent]


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """An inbox in a SQLite file of its own."""
    opened = Inbox.open(f"sqlite:///{tmp_path / 'inbox.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def board() -> Board:
    """Notifiers that remember."""
    return Board()


@pytest.fixture
def event() -> Callable[..., Event]:
    """Makes the event of a payload; each call another one."""
    numbers = itertools.count()

    def make(event_type: str = "WorkbookCreated", **fields: object) -> Event:
        payload = {
            "event_type": event_type,
            "resource": "WORKBOOK",
            "resource_name": "Sales",
            "resource_luid": LUID,
            "site_luid": "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6",
            "created_at": f"2026-01-31T09:30:{next(numbers):02}Z",
            **fields,
        }
        made = parse(json.dumps(payload).encode())
        assert made
        return made

    return make


@pytest.fixture
def job(inbox: Inbox, event: Callable[..., Event]) -> Callable[..., Job]:
    """Puts an event into the inbox, plans one job for it and claims that."""

    def make(happened: Event | None = None, **new: Any) -> Job:
        planned = NewJob(**{"key": "R/notify/slack", "handler": "notify", "rule": "R", **new})
        inbox.events.receive(happened or event())
        inbox.events.plan(lambda _: [planned])
        (claimed,) = inbox.jobs.claim("tests", 1, 60)
        return claimed

    return make


def no_tableau() -> Any:
    raise AssertionError("nobody should ask Tableau here")


@pytest.fixture
def settings() -> Settings:
    """A server with a PAT, whatever the environment says."""
    pat: Mapping[str, Any] = {"tableau_pat_name": "bot", "tableau_pat_secret": "secret"}
    return Settings(_env_file=None, tableau_domain="https://tableau.example", tableau_auth="pat", **pat)


@pytest.fixture
def context(inbox: Inbox, board: Board, settings: Settings) -> Callable[..., Context]:
    """Makes the context of an attempt; `attempts` is its number."""

    def make(job: Job, *, attempts: int = 1, **given: Any) -> Context:
        parts = {"inbox": inbox, "tableau": no_tableau, "notifiers": board, "settings": settings, "clock": lambda: NOW}
        return Context(replace(job, attempts=attempts), **{**parts, **given})

    return make


@pytest.fixture
def passing() -> Callable[[], Exception]:
    """A trouble that may pass."""
    return lambda: NotifierError("Slack answered status 503")


@pytest.fixture
def final() -> Callable[[], Exception]:
    """A trouble that stays."""
    return lambda: NotifierError("Slack answered not_in_channel", permanent=True)


@pytest.fixture
def scene(inbox: Inbox, event: Callable[..., Event], settings: Settings) -> Iterator[Scene]:
    """A simulated site and the shipped actions."""
    registry.load()
    with simulator.running() as running:
        yield Scene(running, inbox, event, settings)
