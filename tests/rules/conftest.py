"""Events, and two actions that rules may name."""

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
    """The project's folder."""
    return Path(__file__).parents[2]


@pytest.fixture
def actions() -> dict[str, type[BaseModel]]:
    """One action that takes a place, one that takes a list, one that takes nothing."""
    return {"notify": Notify, "tag": Tag, "refresh": Refresh, "wait": Wait}


@pytest.fixture
def event() -> Callable[..., Event]:
    """Makes the event of a payload."""

    def make(event_type: str = "WorkbookCreated", **fields: object) -> Event:
        payload = {"event_type": event_type, "resource": "WORKBOOK", "resource_name": "Sales", **fields}
        made = parse(json.dumps(payload).encode())
        assert made
        return made

    return make
