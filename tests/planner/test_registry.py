"""The registry: handlers are registered by decorators, and handlers that cannot work are refused at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from webhooks.event import Event
from webhooks.job import NewJob
from webhooks.registry import ARGUMENTS, Params, RegistrationError, Registry, UnknownHandler, registry


class Colour(Params):
    colour: str


@pytest.fixture
def own() -> Registry:
    """Return a registry of this test's own."""
    return Registry()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Create an empty package of handlers with the name `handlers_here`."""
    package = tmp_path / "handlers_here"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.startswith("handlers_here")]:
        del sys.modules[name]


def planned(registry: Registry, event: Event, max_attempts: int = 20) -> list[NewJob]:
    return [job for verdict in registry.explain(event, max_attempts) for job in verdict.jobs]


def test_on_plans_a_job_for_its_events(own: Registry, event: Callable[..., Event]) -> None:
    """A handler gets a job for each event of its types for which the payload's conditions hold."""

    @own.on("WorkbookCreated", "Datasource*", where={"name": "S*", "project": "Finance*"}, max_attempts=3)
    def check_name(event: Event) -> None: ...

    (job,) = planned(own, event("DatasourceUpdated"))
    assert (job.key, job.handler, job.rule) == ("test_registry.check_name", "test_registry.check_name", None)
    assert (dict(job.where), job.max_attempts) == ({"project": ("Finance*",)}, 3)
    assert planned(own, event("WorkbookUpdated")) == []
    assert planned(own, event("WorkbookCreated", resource_name="Orders")) == []
    assert own.handler(job.handler).function is check_name


def test_on_without_attempts_uses_the_setting(own: Registry, event: Callable[..., Event]) -> None:
    """MAX_ATTEMPTS decides, unless the handler has a number of its own."""
    own.on("*", name="any")(lambda event: None)
    assert planned(own, event(), 7)[0].max_attempts == 7


def test_explain_has_a_reason_for_each_handler(own: Registry, event: Callable[..., Event]) -> None:
    """Handlers are explained like rules."""
    own.on("WorkbookCreated", name="a")(lambda event: None)
    own.on("WorkbookDeleted", name="b")(lambda event: None)
    own.action("paint", params=Colour)(lambda params: None)
    assert [(v.name, v.matched, v.reason) for v in own.explain(event())] == [
        ("a", True, "event type matches"),
        ("b", False, "event type does not match"),
    ]


def test_action_can_be_named_by_rules(own: Registry, event: Callable[..., Event]) -> None:
    """An action has a name and params, runs for no event by itself, and may be reserved for the server."""
    own.action("paint", params=Colour)(lambda params: None)
    own.action("sweep", in_rules=False)(lambda: None)
    assert own.actions == {"paint": Colour}
    assert own.handler("paint").params is Colour
    assert own.handler("sweep").arguments == ()
    assert planned(own, event()) == []


def test_warnings_name_the_handler(own: Registry) -> None:
    """An event type that Tableau does not document is reported."""
    own.on("WorkbokCreated", name="a")(lambda event: None)
    (warning,) = own.warnings()
    assert warning.startswith("a: WorkbokCreated is not a known event type; did you mean WorkbookCreated?")


def test_handler_names_its_arguments_in_any_order(own: Registry) -> None:
    """An argument that is unknown and has a default keeps its default."""

    @own.on("*")
    def handler(log: Any, *, event: Event, threshold: int = 3) -> None: ...

    assert own.handler("test_registry.handler").arguments == ("log", "event")


def with_unknown(evnt: Event) -> None: ...


def with_params(params: Colour) -> None: ...


def with_many(*args: object) -> None: ...


def with_positional(event: Event, /) -> None: ...


async def with_async(event: Event) -> None: ...


def with_yield(event: Event) -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (with_unknown, "a handler cannot have the argument evnt: 'Event'; did you mean event?"),
        (with_params, "a handler cannot have the argument params"),
        (with_many, "a handler cannot have the argument *args"),
        (with_positional, "a handler cannot have the argument event"),
        (with_async, "a handler is a plain function, without async and yield"),
        (with_yield, "a handler is a plain function, without async and yield"),
    ],
)
def test_on_refuses_a_function_that_cannot_be_called(
    function: Callable[..., object], message: str, own: Registry
) -> None:
    """The error comes when the handler is registered, with its name and line."""
    with pytest.raises(RegistrationError) as caught:
        own.on("*")(function)
    assert message in str(caught.value)
    assert f"{function.__name__} (line " in str(caught.value)


@pytest.mark.parametrize(
    ("given", "where", "message"),
    [
        ((), {}, '@on needs event types: @on("WorkbookCreated", "WorkbookUpdated")'),
        ((with_unknown,), {}, "@on needs event types"),
        (("WorkbookCreated",), {"projekt": "A"}, "@on(WorkbookCreated): projekt is not a condition; did you mean"),
        (("",), {}, "@on(): an empty text matches nothing"),
    ],
)
def test_on_refuses_invalid_arguments(
    given: tuple[Any, ...], where: dict[str, str], message: str, own: Registry
) -> None:
    """@on without event types or with an unknown condition is refused."""
    with pytest.raises(RegistrationError) as caught:
        own.on(*given, where=where)
    assert message in str(caught.value)


def test_duplicate_name_is_refused(own: Registry) -> None:
    """Jobs store handlers by name, so no two may share one."""
    own.on("*", name="a")(lambda event: None)
    with pytest.raises(RegistrationError, match=r"two handlers are called a: .*; give one of them another name"):
        own.action("a")(lambda: None)


@pytest.mark.parametrize("name", ["", "open ticket", "slack:#bi", None])
def test_action_needs_a_valid_name(name: Any, own: Registry) -> None:
    """The name of an action is a key in the rules file."""
    with pytest.raises(RegistrationError, match="@action needs a name"):
        own.action(name)


def test_unknown_handler_is_a_permanent_error(own: Registry) -> None:
    """A job whose handler was removed is dead-lettered with an error that names it."""
    own.on("*", name="check_name")(lambda event: None)
    with pytest.raises(UnknownHandler, match=r"no handler is called chek_name; did you mean check_name\?") as caught:
        own.handler("chek_name")
    assert caught.value.permanent


def test_load_imports_every_file_in_order(folder: Path) -> None:
    """Every file in the folder is loaded, except those whose names begin with `_`."""
    for name in ("b", "a", "_c"):
        text = f"from webhooks.registry import on\n@on('Nothing')\ndef {name.strip('_')}_handler(event): pass\n"
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    before = set(registry._handlers)
    registry.load("handlers_here")
    try:
        assert [name for name in registry._handlers if name not in before] == ["a.a_handler", "b.b_handler"]
    finally:
        registry.remove("handlers_here.a")
        registry.remove("handlers_here.b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_the_kind\n", "line 1: ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
        ("\ndef broken(:\n", "line 2: SyntaxError: invalid syntax"),
        (
            "from webhooks.registry import on\n\n@on('X')\ndef f(evnt): pass\n",
            "handlers_here.broken.f (line 3): a handler cannot have the argument evnt; did",
        ),
        ("x = 1\ny = x / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
    ],
)
def test_load_names_the_broken_file(text: str, message: str, folder: Path) -> None:
    """The server does not start, and the error has the file, the line and the cause."""
    (folder / "broken.py").write_text(text, encoding="utf-8")
    with pytest.raises(RegistrationError) as caught:
        registry.load("handlers_here")
    assert str(caught.value).startswith("handlers_here/broken.py cannot be loaded: ")
    assert message in str(caught.value)


def test_load_removes_the_handlers_of_a_broken_file(folder: Path) -> None:
    """It can be loaded again once it is repaired."""
    text = "from webhooks.registry import on\n@on('Nothing')\ndef handler(event): pass\n"
    (folder / "repaired.py").write_text(f"{text}1 / 0\n", encoding="utf-8")
    with pytest.raises(RegistrationError):
        registry.load("handlers_here")
    (folder / "repaired.py").write_text(text + "# repaired\n", encoding="utf-8")
    registry.load("handlers_here")
    assert "repaired.handler" in registry._handlers
    registry.remove("handlers_here.repaired")


def test_every_argument_is_explained() -> None:
    """Each argument that a handler may name is listed with its meaning."""
    assert set(ARGUMENTS) == {"event", "tableau", "notify", "log", "once", "params", "job", "context", "settings"}
