"""The handlers of docs/handlers.md can be copied into a file, and work."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tableau_rest.models import Reference, Workbook
from tests.support.handler_context import RecordingNotifiers
from webhooks.context import Context, call
from webhooks.event import Event
from webhooks.job import Job
from webhooks.registry import ARGUMENTS, registry
from webhooks.rules import parse

PAGE = (Path(__file__).parents[2] / "docs" / "handlers.md").read_text(encoding="utf-8")
# The test of a handler is not a handler; test_handler_kit.py runs it.
EXAMPLES = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "HandlerKit" not in text]
NAMES = ("check_name", "ticket", "move", "old_extracts")


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Load the handlers of the page, each from its own file."""
    package = tmp_path / "handlers_of_the_page"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in zip(NAMES, EXAMPLES, strict=True):
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry.load(package.name)
    yield
    for name in NAMES:
        registry.remove(f"{package.name}.{name}")
        del sys.modules[f"{package.name}.{name}"]
    del sys.modules[package.name]


class FakeTableau:
    """A Tableau client with one workbook, which records the changes."""

    def __init__(self) -> None:
        self.changes: list[Any] = []

    def workbook(self, luid: str) -> Workbook:
        return Workbook(luid, "Sales", owner=Reference("u", "ann"), project=Reference("", "Finance"))

    datasource = view = user = site = workbook

    def add_tags(self, workbook: Workbook, tags: list[str]) -> None:
        self.changes.append(tags)

    def request(self, method: str, path: str, **given: Any) -> None:
        self.changes.append((method, path, given["json"]))


@pytest.mark.usefixtures("examples")
def test_first_handler_of_the_page_works(
    context: Callable[..., Context], job: Callable[..., Job], event: Callable[..., Event], notifiers: RecordingNotifiers
) -> None:
    """It tags a badly named workbook and notifies the stewards, under its condition."""
    verdicts = registry.explain(event("WorkbookUpdated"))
    (new,) = [job for verdict in verdicts for job in verdict.jobs if job.handler == "check_name.check_name"]
    tableau = FakeTableau()
    claimed = job(handler=new.handler, where=new.where, rule=None, key=new.key)
    call(registry.handler(new.handler), context(claimed, tableau=lambda: tableau))
    assert tableau.changes == [["badly-named"]]
    assert [(to, message.title) for to, message in notifiers["slack"].sent] == [
        ("#bi-stewards", "Sales by ann needs a team")
    ]


@pytest.mark.usefixtures("examples")
def test_ticket_of_the_page_is_opened_once(
    context: Callable[..., Context], job: Callable[..., Job], event: Callable[..., Event], notifiers: RecordingNotifiers
) -> None:
    """Two attempts open one ticket and send one message."""
    claimed = job(event("WorkbookRefreshFailed"), handler="ticket", rule=None, key="ticket")
    for attempt in (1, 2):
        call(registry.handler("ticket"), context(claimed, attempts=attempt))
    assert notifiers.titles == ["Ticket 4711 for Sales"]


@pytest.mark.usefixtures("examples")
def test_action_of_the_page_is_validated_and_works(
    context: Callable[..., Context], job: Callable[..., Job], event: Callable[..., Event]
) -> None:
    """The rule of the page is valid, and its job moves the workbook."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    copied = event("WorkbookCreated", resource_name="Copy of Sales")
    (new,) = [job for verdict in parse(text, registry.actions).explain(copied) for job in verdict.jobs]
    tableau = FakeTableau()
    claimed = job(copied, handler=new.handler, rule=new.rule, key=new.key, params=new.params)
    call(registry.handler("move"), context(claimed, tableau=lambda: tableau))
    ((method, path, body),) = tableau.changes
    assert (method, path) == ("PUT", f"workbooks/{copied.resource_luid}")
    assert body == {"workbook": {"project": {"id": "1f2f3e4e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"}}}


def test_page_names_every_argument() -> None:
    """Every argument that a handler can name is in the table."""
    assert [name for name in ARGUMENTS if f"| `{name}` |" not in PAGE] == []
