"""Events, and actions that rules may name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from webhooks.destinations import Destination
from webhooks.event import Event, parse
from webhooks.registry import Params


class Notify(Params):
    to: Destination = "default"
    picture: bool = False


class Tag(Params):
    tags: tuple[str, ...]


class Refresh(Params):
    pass


class Wait(Params):
    minutes: int = 5


@pytest.fixture
def root() -> Path:
    """Return the project's root."""
    return Path(__file__).parents[2]


@pytest.fixture
def actions() -> dict[str, type[BaseModel]]:
    """Return an action per kind of first parameter: a text, a list, none, a number."""
    return {"notify": Notify, "tag": Tag, "refresh": Refresh, "wait": Wait}


@pytest.fixture
def event() -> Callable[..., Event]:
    """Return a function that makes an event from the fields of its payload."""

    def make(event_type: str = "WorkbookCreated", **fields: object) -> Event:
        payload = {"event_type": event_type, "resource": "WORKBOOK", "resource_name": "Sales", **fields}
        event = parse(json.dumps(payload).encode())
        assert event
        return event

    return make
