"""Each act of the table has the same name, permission and row of the audit log in every way it can be done."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deploy import acts_page
from simulator import Config, running
from tests.dashboard.conftest import PASSWORD, fail
from tests.dashboard.test_scopes import bearer
from tests.security import test_pagerduty_events as pagerduty
from tests.security.acting import AUTHORS, LINK_SECRET, PUBLIC_URL, SAME_ORIGIN, USER, WEBHOOK_URL, Act, Stage
from tests.support.flask_commands import as_flask_command, command_runner
from webhooks.access.permissions import PERMISSIONS, WAYS, Permission
from webhooks.access.visitors import ROLES, permits
from webhooks.api.agents.tools import TOOLS
from webhooks.api.operations import OPERATIONS
from webhooks.app import create_app
from webhooks.cli.commands import COMMANDS, LazyCommand
from webhooks.config.settings import Settings
from webhooks.dashboard.routes import ROUTES

RULES = """
[[rule]]
name = "Failures"
on = "*RefreshFailed"
notify = "slack:#bi"

[access]
operators = ["ann@acme.example"]
"""
# Posts that are not acts: signing in and out, trying an event, and signed links, whose acts are the incident's.
OTHER_FORMS = {"/login", "/logout", "/logout/others", "/logout/<name>", "/rules/try", "/act/<signed>"}
# Commands that change nothing that the audit log is about, or whose traces are elsewhere.
NO_ACTS = {
    "listen": "its webhooks are temporary, and its inbox is its own",
    "trigger": "the event is its trace",
    "notify test": "it sends a message that says so",
    "webhooks test": "Tableau sends a test that is not stored",
    "inbox move": "the old inbox is only read",
    "setup": "it runs before the inbox exists",
    "worker": "it runs what others asked for",
}
READS = {"list", "show", "explain", "tail", "verify", "status", "doctor", "check", "test", "backtest", "preview"}
READS |= {"history", "manifest"}


@pytest.fixture
def stage(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("LOGNAME", USER)
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    with running(Config(refresh_seconds=0)) as site, as_flask_command(monkeypatch):
        own = {
            "rules_file": rules,
            "admin_password": PASSWORD,
            "link_secret": LINK_SECRET,
            "public_url": PUBLIC_URL,
            "webhook_url": WEBHOOK_URL,
            "sms_replies": True,
            "pagerduty_webhook_secret": pagerduty.SECRET,
            "pagerduty_keys": pagerduty.KEYS,
        }
        simulated = {name.lower(): value for name, value in site.environment.items()}
        app = create_app(Settings.read(_env_file=None, **{**settings.model_dump(), **simulated, **own}))
        yield Stage(site, app.test_client(), command_runner(app))
        app.extensions["webhooks"].stop()


def ways(stage: Stage, act: Permission, headers: dict[str, str]) -> Iterator[tuple[str, str, Act]]:
    """Yield each way of an act with its name there; calling the last part does it, on a new object."""
    name = act.name
    for path in acts_page.places(act):
        yield "pages", path, lambda path=path: stage.page(name, path, stage.prepare(name), SAME_ORIGIN)
    for one in (one for one in OPERATIONS if one.act == name):
        yield "API", one.name, lambda one=one: stage.operation(name, one.path, stage.prepare(name), headers)
    for tool in (tool for tool in TOOLS if tool.act == name):
        yield "agents", tool.name, lambda tool=tool: stage.tool(name, tool.name, stage.prepare(name), headers)
    for command in act.commands:
        yield "command line", command, lambda command=command: stage.command(command, stage.prepare(name))
    for label in act.buttons:
        group = stage.share_message() if " all" in label else 0
        yield (
            "Slack",
            label,
            lambda label=label, group=group: stage.press(*stage.buttons(stage.prepare(name), group)[label]),
        )
    messengers = {
        "link": lambda: stage.link(stage.prepare(name), name),
        "SMS": lambda: stage.reply(stage.prepare(name)),
        "PagerDuty": lambda: stage.alert(stage.prepare(name)),
    }
    for one in act.messengers:
        yield one, one, messengers[one]


def pattern(words: str) -> str:
    """Return a regular expression for words of the table, in which those in capitals are replaced."""
    escaped = "|".join(re.escape(part.strip()) for part in words.split("|"))
    return re.sub(r"NUMBER", r"\\d+", re.sub(r"EVENT_TYPE|NAME|ADDRESS|HOST|DESTINATION", r"\\S+", escaped))


@pytest.mark.second_stage
def test_each_act_leaves_the_same_row_in_every_way(stage: Stage) -> None:
    """Its name, its subject, the author and the origin are those of the table; several rows are of several objects."""
    origins = {way.name: pattern(way.origin) for way in WAYS}
    headers, done = bearer(stage.browser, "admin"), 0
    for act in PERMISSIONS.values():
        for way, place, do in ways(stage, act, headers):
            stage.sign_in()
            last = stage.last_row()
            response = do()
            stage.finish()
            rows = [row for row in stage.rows_after(last) if row.by != "Month End Close person"]
            case = (act.name, way, place, getattr(response, "status", ""), rows)
            assert rows, case
            assert {row.act for row in rows} <= set(act.rows), case
            assert len({(row.act, row.subject) for row in rows}) == len(rows), case
            for row in rows:
                assert re.fullmatch(pattern(act.on), row.subject), case
                assert re.fullmatch(origins[way], row.origin), case
                assert re.fullmatch(AUTHORS[way], row.by), case
            done += 1
    assert done > 50
    assert stage.inbox.audit.verify().broken is None


def test_below_the_role_nothing_is_done_and_the_answer_names_it(stage: Stage) -> None:
    """On pages, by the API and for agents: no row is left."""
    headers = {role: bearer(stage.browser, role) for role in ROLES[1:]}
    number = stage.prepare("note")
    stage.prepare("dismiss")
    last = stage.last_row()
    for act in PERMISSIONS.values():
        for role in (role for role in ROLES[1:] if not permits(role, act.role)):
            sent = [stage.page(act.name, path, number, headers[role]) for path in acts_page.places(act)]
            sent += [stage.operation(act.name, o.path, number, headers[role]) for o in OPERATIONS if o.act == act.name]
            sent += [stage.tool(act.name, tool.name, number, headers[role]) for tool in TOOLS if tool.act == act.name]
            for response in sent:
                assert (response.status_code, f"needs the role {act.role}" in response.text) == (403, True), act
    assert stage.rows_after(last) == []


def test_messengers_refuse_strangers(stage: Stage) -> None:
    """Unsigned requests, other organizations, numbers that were not notified, and people who may not refresh."""
    number = stage.fail_refresh().id
    buttons = stage.buttons(number, 0)
    last = stage.last_row()
    acknowledge, refresh = buttons["Acknowledge"], buttons["Refresh again"]
    assert stage.press(*acknowledge, secret="of-another-app").status_code == 401
    assert stage.alert(number, secret=pagerduty.OTHER).status_code == 401
    assert stage.reply(number, token="x" * 32).status_code in {401, 403}
    assert stage.link(number, "acknowledge", secret="another-secret-of-another-server").status_code == 404
    assert stage.reply(number, sender="+15550177").status_code == 200
    assert stage.press(*acknowledge, team="T0OTHER").status_code == 200
    assert stage.press(*refresh, email="ben@acme.example").status_code == 200
    stage.finish()
    shown = [one.text for one in stage.site.world.slack.messages if one.ephemeral_for]
    assert any("Only members of the workspace" in one for one in shown), shown
    assert any("may not start refreshes. The table [access] of the rules lists who may." in one for one in shown), shown
    assert stage.rows_after(last) == []
    assert stage.inbox.incidents.get(number).incident.state == "open"


def test_refresh_that_cannot_be_started_is_noted_by_the_server(stage: Stage) -> None:
    """The request is the person's row of the audit log; the note, which says why, is the server's."""
    number = fail(stage.inbox).id
    stage.sign_in()
    last = stage.last_row()
    stage.page("refresh", "/incidents/<int:number>/<kind>", number, SAME_ORIGIN)
    stage.finish()
    note, request = stage.rows_after(last)
    assert (request.act, request.by, request.origin) == ("refresh", "Ann", "page 127.0.0.1")
    assert (note.act, note.by, note.origin) == ("note", "server", "server")
    assert note.details.startswith("The refresh that Ann asked for was not started: ")


def test_command_for_someone_else_names_the_user(stage: Stage) -> None:
    """With --by, the row has that author, and the origin has the user who ran the command."""
    assert stage.flask("incidents", "note", stage.prepare("note"), "seen", "--by", "Ann").exit_code == 0
    (row,) = (row for row in stage.inbox.audit.list() if row.by == "Ann")
    assert re.fullmatch(rf"command line on \S+ as {USER}", row.origin)


def test_every_way_has_the_permission_of_the_table() -> None:
    """Each unsafe route, operation and tool is an act of the table, with its role."""
    found: list[tuple[str, str, tuple[str, ...]]] = [
        (route.path, route.role, route.acts)
        for route in ROUTES
        if route.method == "POST" and route.path not in OTHER_FORMS
    ]
    found += [(one.name, one.role, (one.act,)) for one in OPERATIONS if one.method == "POST"]
    found += [(tool.name, tool.role, (tool.act,)) for tool in TOOLS if tool.writes or tool.act]
    for place, role, acts in found:
        assert acts, place
        assert {PERMISSIONS[act].role for act in acts} == {role}, place
    assert not [route for route in ROUTES if route.acts and route.method == "GET"]
    elsewhere = {act for act, one in PERMISSIONS.items() if not acts_page.places(one)}
    assert elsewhere == {"activate rules", "import runs", "delete expired"}


def test_every_command_is_a_read_or_an_act() -> None:
    """A new command has to be one of the table, or needs a reason."""

    def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
        if isinstance(command, click.Group):
            for name, one in command.commands.items():
                yield from leaves(one, (*path, name))
        else:
            yield " ".join(path)

    names = set(itertools.chain.from_iterable(leaves(LazyCommand(name).load(), (name,)) for name in COMMANDS))
    acts = {command.partition(" --")[0] for act in PERMISSIONS.values() for command in act.commands}
    assert acts | NO_ACTS.keys() <= names
    reading = {name for name in names if name.split()[-1] in READS} - NO_ACTS.keys()
    assert names - acts - NO_ACTS.keys() == reading


def test_page_in_the_documentation_is_current() -> None:
    """The page of acts is that of the code; if not, run `python -m deploy.acts_page`."""
    assert acts_page.PAGE.read_text(encoding="utf-8") == acts_page.page()
