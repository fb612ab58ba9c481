"""Handlers announce themselves, and what could not work is refused at once."""

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
    """A registry that nobody else uses."""
    return Registry()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of handlers that is empty yet; its name is `handlers_here`."""
    package = tmp_path / "handlers_here"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.startswith("handlers_here")]:
        del sys.modules[name]


def planned(registry: Registry, event: Event, max_attempts: int = 20) -> list[NewJob]:
    return [job for verdict in registry.explain(event, max_attempts) for job in verdict.jobs]


def test_on_makes_a_job_for_its_events(own: Registry, event: Callable[..., Event]) -> None:
    """A handler gets a job for each event of its types for which the payload's conditions hold."""

    @own.on("WorkbookCreated", "Datasource*", where={"name": "S*", "project": "Finance*"}, max_attempts=3)
    def check_name(event: Event) -> None: ...

    (job,) = planned(own, event("DatasourceUpdated"))
    assert (job.key, job.handler, job.rule) == ("test_registry.check_name", "test_registry.check_name", None)
    assert (dict(job.where), job.max_attempts) == ({"project": ("Finance*",)}, 3)
    assert planned(own, event("WorkbookUpdated")) == []
    assert planned(own, event("WorkbookCreated", resource_name="Orders")) == []
    assert own.handler(job.handler).function is check_name


def test_on_without_attempts_takes_the_servers(own: Registry, event: Callable[..., Event]) -> None:
    """How often a job is tried is the server's setting, unless the handler says."""
    own.on("*", name="any")(lambda event: None)
    assert planned(own, event(), 7)[0].max_attempts == 7


def test_explain_says_why_a_handler_is_concerned(own: Registry, event: Callable[..., Event]) -> None:
    """Handlers are explained like rules."""
    own.on("WorkbookCreated", name="a")(lambda event: None)
    own.on("WorkbookDeleted", name="b")(lambda event: None)
    own.action("paint", params=Colour)(lambda params: None)
    assert [(v.name, v.matched, v.reason) for v in own.explain(event())] == [
        ("a", True, "event type matches"),
        ("b", False, "event type does not match"),
    ]


def test_action_is_offered_to_rules(own: Registry, event: Callable[..., Event]) -> None:
    """An action is known by its name with its params, runs for no event by itself, and may be the application's own."""
    own.action("paint", params=Colour)(lambda params: None)
    own.action("sweep", in_rules=False)(lambda: None)
    assert own.actions == {"paint": Colour}
    assert own.handler("paint").params is Colour
    assert own.handler("sweep").arguments == ()
    assert planned(own, event()) == []


def test_warnings_name_the_handler(own: Registry) -> None:
    """An event type that is in no catalogue is pointed out."""
    own.on("WorkbokCreated", name="a")(lambda event: None)
    (warning,) = own.warnings()
    assert warning.startswith("a: WorkbokCreated is not a known event type; did you mean WorkbookCreated?")


def test_handler_wants_arguments_in_any_order(own: Registry) -> None:
    """A handler names what it wants; an argument with a default of its own is left to it."""

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
def test_on_refuses_what_it_cannot_call(function: Callable[..., object], message: str, own: Registry) -> None:
    """A handler that could not be called is refused when it is registered, with its name and line."""
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
def test_on_refuses_what_it_cannot_understand(
    given: tuple[Any, ...], where: dict[str, str], message: str, own: Registry
) -> None:
    """@on without events, or with a condition that is none, is refused."""
    with pytest.raises(RegistrationError) as caught:
        own.on(*given, where=where)
    assert message in str(caught.value)


def test_name_that_stands_twice_is_refused(own: Registry) -> None:
    """Jobs remember handlers by name, so no two may share one."""
    own.on("*", name="a")(lambda event: None)
    with pytest.raises(RegistrationError, match=r"two handlers are called a: .*; give one of them another name"):
        own.action("a")(lambda: None)


@pytest.mark.parametrize("name", ["", "open ticket", "slack:#bi", None])
def test_action_needs_a_name_that_can_be_a_key(name: Any, own: Registry) -> None:
    """The name of an action is a key in the rules file."""
    with pytest.raises(RegistrationError, match="@action needs a name"):
        own.action(name)


def test_handler_that_is_gone_is_a_permanent_error(own: Registry) -> None:
    """A job whose handler was removed ends with a clear word."""
    own.on("*", name="check_name")(lambda event: None)
    with pytest.raises(UnknownHandler, match=r"no handler is called chek_name; did you mean check_name\?") as caught:
        own.handler("chek_name")
    assert caught.value.permanent


def test_load_imports_every_file_in_order(folder: Path) -> None:
    """Whoever drops a file into the folder has a handler; files with a leading _ are left alone."""
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
def test_load_names_the_file_that_is_broken(text: str, message: str, folder: Path) -> None:
    """A broken file stops the start with its name, line and mistake."""
    (folder / "broken.py").write_text(text, encoding="utf-8")
    with pytest.raises(RegistrationError) as caught:
        registry.load("handlers_here")
    assert str(caught.value).startswith("handlers_here/broken.py cannot be loaded: ")
    assert message in str(caught.value)


def test_load_forgets_what_a_broken_file_registered(folder: Path) -> None:
    """Once the file is mended it can be loaded again."""
    text = "from webhooks.registry import on\n@on('Nothing')\ndef handler(event): pass\n"
    (folder / "mended.py").write_text(f"{text}1 / 0\n", encoding="utf-8")
    with pytest.raises(RegistrationError):
        registry.load("handlers_here")
    (folder / "mended.py").write_text(text + "# mended\n", encoding="utf-8")
    registry.load("handlers_here")
    assert "mended.handler" in registry._handlers
    registry.remove("handlers_here.mended")


def test_every_argument_is_explained() -> None:
    """What a handler may name is listed with its meaning."""
    assert set(ARGUMENTS) == {"event", "tableau", "notify", "log", "once", "params", "job", "context", "settings"}
