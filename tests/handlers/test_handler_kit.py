"""The kit for tests of handlers, and what handlers can ask for: order, history, a folder of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers import Message
from webhooks.config.settings import ROOT, Settings
from webhooks.context import Context
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.event import Event
from webhooks.incidents import RunEvidence
from webhooks.job import NewJob
from webhooks.registry import Params, RegistrationError, Registry, registry
from webhooks.services import Services
from webhooks.testing import HandlerKit, make_event

FAILED = "WorkbookRefreshFailed"


@pytest.fixture
def own() -> Registry:
    return Registry()


@pytest.fixture
def kit(tmp_path: Path, own: Registry) -> Iterator[HandlerKit]:
    with HandlerKit(tmp_path, registry=own) as kit:
        yield kit


def test_kit_shows_messages_and_the_end(kit: HandlerKit, own: Registry) -> None:
    """A handler runs with its arguments; its messages are recorded, and a second attempt does not repeat them."""

    @own.on("*", name="report")
    def report(event: Event, notify: Callable[..., Any], once: Callable[..., Any]) -> None:
        notify("slack:#bi", f"{event.resource_name}\n{once('ticket', lambda: 4711)}")
        notify("default", Message("Sales", "Disk full"))

    result = kit.run(report, make_event(FAILED, resource_name="Orders"))
    assert (result.state, [(sent.to, sent.message.title) for sent in result.sent]) == (
        "done",
        [("slack:#bi", "Orders"), ("slack", "Sales")],
    )
    assert kit.run_again().sent == ()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Skip("not mine"), "skipped"),
        (Permanent("gone"), "dead"),
        (RetryLater("later", datetime(2026, 3, 1, tzinfo=UTC)), "retry"),
        (KeyError("x"), "retry"),
    ],
)
def test_kit_says_how_the_job_ends(error: Exception, state: str, kit: HandlerKit, own: Registry) -> None:
    """The same errors have the same effect as in the server."""

    @own.action("fail", params=Params)
    def fail() -> None:
        raise error

    result = kit.run("fail", make_event(FAILED))
    assert (result.state, result.error) == (state, error)
    assert result.retry_at == getattr(error, "retry_at", None)


def test_kit_explains_what_is_missing(kit: HandlerKit, own: Registry) -> None:
    """A handler that asks Tableau needs a client, and a plain function is none."""
    with pytest.raises(ValueError, match="No handler was run"):
        kit.run_again()
    own.on("*", name="ask")(lambda tableau: tableau.workbook("x"))
    assert "pass tableau=" in str(kit.run("ask", make_event(FAILED)).error)
    with pytest.raises(ValueError, match="is not a handler"):
        kit.run(len, make_event(FAILED))


def test_handler_sees_the_history_of_content(kit: HandlerKit, own: Registry) -> None:
    """The runs of the event's content, newest first, with outcome and reason."""
    event = make_event(FAILED)
    found: list[Any] = []

    @own.on("*", name="look")
    def look(context: Context) -> None:
        found.extend(context.history(limit=2))

    for days, outcome in ((3, "succeeded"), (2, "failed"), (1, "failed")):
        ended_at = datetime.now(UTC) - timedelta(days=days)
        facts: Any = {"resource_luid": event.resource_luid, "site_luid": event.site_luid, "resource_kind": "workbook"}
        reason = "Disk full" if outcome == "failed" else ""
        kit.inbox.incidents.learn(
            RunEvidence(
                **facts,
                resource_name="Sales",
                source="job list",
                outcome=outcome,  # type: ignore[arg-type]
                recorded_at=ended_at,
                ended_at=ended_at,
                reason=reason,
            )
        )
    assert kit.run(look, event).state == "done"
    assert len(found) == 2
    assert found[0].at > found[1].at
    assert {run.outcome for run in found} == {"failed"}


def test_order_is_that_of_the_events(kit: HandlerKit, own: Registry) -> None:
    """With `in_order`, an event waits for an earlier one about the same resource until that one's job has ended."""
    own.on("*", name="ordered", in_order=True)(lambda: None)
    own.on("*", name="free")(lambda: None)
    luid = "e3417f6a-1c11-4a07-9f2e-000000000001"
    first, second = (make_event(FAILED, resource_luid=luid, created_at=f"2026-03-01T0{n}:00:00Z") for n in (1, 2))
    other = make_event(FAILED)
    for event in (first, second, other):
        kit.inbox.events.receive(event)
    kit.inbox.events.plan(lambda event: [_job("ordered"), _job("free")])
    jobs = {(job.event.id, job.handler): job for job in kit.inbox.jobs.claim("w", 10, 3600)}
    is_first = kit.inbox.turns.is_first
    assert [is_first(jobs[number, "ordered"]) for number in (1, 2, 3)] == [True, False, True]
    kit._job = jobs[2, "ordered"]
    result = kit._attempt()
    assert (result.state, result.reason) == ("retry", "An earlier event about the same resource comes first")
    kit._job = jobs[2, "free"]
    assert kit._attempt().state == "done"
    kit.inbox.jobs.finish(jobs[1, "ordered"])
    assert is_first(jobs[2, "ordered"])
    # One that was received before and is not planned yet comes first, too.
    kit.inbox.events.receive(make_event(FAILED, resource_luid=luid, created_at="2026-03-01T03:00:00Z"))
    kit.inbox.events.receive(make_event(FAILED, resource_luid=luid, created_at="2026-03-01T04:00:00Z"))
    late = kit.inbox.events.get(5)
    assert late
    job = jobs[2, "ordered"]
    assert not is_first(type(job)(**{name: getattr(job, name) for name in job.__slots__} | {"event": late.event}))


def _job(name: str) -> Any:
    return NewJob(name, name)


HANDLER = """
from webhooks.registry import on
from own_handlers._texts import TEXT

@on("WorkbookCreated")
def greet(notify):
    notify("console", TEXT)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Create a folder of handlers outside of the server."""
    path = tmp_path / "own"
    path.mkdir()
    (path / "_texts.py").write_text('TEXT = "hello"\n', encoding="utf-8")
    (path / "greeting.py").write_text(HANDLER, encoding="utf-8")
    yield path
    for name in [name for name in sys.modules if name.startswith("own_handlers")]:
        registry.remove(name)
        del sys.modules[name]


def test_folder_outside_of_the_server_is_loaded(folder: Path, settings: Settings, tmp_path: Path) -> None:
    """HANDLERS_DIR adds handlers to the shipped ones; they may share modules, and are loaded again at each start."""
    changed = settings.model_copy(update={"handlers_dir": folder})
    for _ in range(2):
        found = Services(changed).registry
        assert "greeting.greet" in found.on_handlers
        assert "notify" in found.actions
    with HandlerKit(tmp_path) as kit:
        assert kit.run("greeting.greet", make_event("WorkbookCreated")).sent[0].message.title == "hello"


def test_broken_file_and_missing_folder_are_named(folder: Path, settings: Settings) -> None:
    """The error names the file with its path and line, and the variable."""
    (folder / "wrong.py").write_text("\n1 / 0\n", encoding="utf-8")
    with pytest.raises(RegistrationError, match=rf"{folder}/wrong\.py cannot be loaded: line 2: ZeroDivisionError"):
        _ = Services(settings.model_copy(update={"handlers_dir": folder})).registry
    with pytest.raises(RuntimeError, match=r"HANDLERS_DIR: .*/nowhere is not a folder"):
        Settings.read(_env_file=None, handlers_dir=folder / "nowhere")


@pytest.mark.second_stage
def test_example_of_the_manual_works(tmp_path: Path, folder: Path) -> None:
    """The test that docs/handlers.md shows passes in pytest, in a project of its own beside the server's folder."""
    page = (ROOT / "docs" / "handlers.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (shown,) = [code for code in blocks if "HandlerKit" in code]
    for name, text in (("handlers/names.py", blocks[0]), ("tests/test_names.py", shown)):
        path = folder / name
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")]
    ended = subprocess.run(
        command, check=False, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=100
    )
    assert (ended.returncode, "1 passed" in ended.stdout) == (0, True), ended.stdout + ended.stderr


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}
