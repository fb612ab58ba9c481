"""The export action against a simulated Tableau and Slack, and an e-mail with its file."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path

import pytest

from notifiers import Message, Picture
from notifiers.email.render import render
from tests.support.simulated_actions import Simulation
from webhooks.context import call
from webhooks.context.exports import export_limit
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.event import Event
from webhooks.registry import registry
from webhooks.rules import RulesError, parse


def exports(simulation: Simulation) -> list[str]:
    """Return the exports that Tableau rendered."""
    ends = ("image", "pdf", "data")
    return [one.path.rpartition("/")[2] for one in simulation.running.world.calls.log if one.path.endswith(ends)]


def test_view_is_sent_to_slack_once(simulation: Simulation) -> None:
    """The message and its file are sent once, also if the job runs again; the result says what was sent."""
    views = simulation.running.world.home.workbooks
    sales = next(one for one in views.values() if one.name == "Sales")
    view = simulation.running.world.home.views[sales.views[0]].name
    rule = f'export = {{ to = "slack:#bi", format = "png", view = "{view.upper()}", text = "Every morning" }}'
    job = simulation.job(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), rule)
    results = {call(registry.handler("export"), simulation.context(job)) for _ in range(2)}
    assert results == {f"Sales / {view} sent to slack:#bi as png"}
    assert exports(simulation) == ["image"]
    message = next(one for one in simulation.messages if not one.thread_ts)
    assert "Every morning" in message.text
    files = list(simulation.running.world.slack.files.values())
    assert [one.name for one in files] == [f"Sales - {view}.png"]


def test_file_is_saved_in_the_folder(simulation: Simulation, tmp_path: Path) -> None:
    """A data source's event can export a workbook that it names; without EXPORT_DIR the job is dead-lettered."""
    rule = 'export = { to = "folder", format = "csv", workbook = "Sales", filters = { Region = ["East", "West"] } }'
    event = simulation.happen("DatasourceRefreshSucceeded", name="Orders")
    with pytest.raises(Permanent, match="EXPORT_DIR is not set"):
        simulation.run(event, rule)
    simulation.settings = simulation.settings.model_copy(update={"export_dir": tmp_path})
    event = simulation.happen("DatasourceRefreshSucceeded", name="Orders")
    assert simulation.run(event, rule).endswith("sent to folder as csv")
    (saved,) = tmp_path.glob("*.csv")
    assert saved.read_text(encoding="utf-8").count("\n") > 1
    assert [*tmp_path.glob(".*")] == []


def test_exports_that_cannot_be_made(simulation: Simulation) -> None:
    """Nothing is sent without its file, and the reason names what the workbook has."""
    for rule, error, reason in (
        ('export = { view = "Nothing" }', Permanent, "has no view Nothing; it has: "),
        ('export = { workbook = "Nothing" }', Permanent, "called Nothing"),
        ("export = { dry_run = true }", Skip, "dry run: Sales would be sent to slack as pdf"),
    ):
        with pytest.raises(error, match=reason):
            simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), rule)
    with pytest.raises(Skip, match="the event is about no workbook"):
        simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), "export = true")
    simulation.inject(kind="error", path="/pdf", code="404011", times=1)
    with pytest.raises(Exception, match="404011"):
        simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), "export = true")
    assert simulation.messages == []


def test_file_that_slack_refuses_is_reported(simulation: Simulation) -> None:
    """The job whose message was sent without its file is dead-lettered."""
    simulation.inject(kind="error", target="slack", path="files", code="file_uploads_disabled")
    with pytest.raises(Permanent, match=r"The message was sent, its file was not: .*file_uploads_disabled"):
        simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), 'export = "slack:#bi"')


def test_rules_do_not_use_up_each_others_limit(simulation: Simulation, tmp_path: Path) -> None:
    """Two rules that export the same view with other filters save a file each; each has `per_day` for itself."""
    simulation.settings = simulation.settings.model_copy(update={"export_dir": tmp_path})
    rule = 'export = {{ to = "folder", format = "csv", per_day = 1, filters = {{ Region = "{}" }} }}\n'
    second = '[[rule]]\nname = "West"\non = "WorkbookRefreshSucceeded"\n'
    both = rule.format("East") + second + rule.format("West")
    simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), both)
    assert len(list(tmp_path.glob("*.csv"))) == 2
    with pytest.raises(Skip, match="limit reached: export was done once"):
        simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), both)


def test_events_without_content_have_a_limit(simulation: Simulation, tmp_path: Path) -> None:
    """Without a LUID, the events of one type count together."""
    simulation.settings = simulation.settings.model_copy(update={"export_dir": tmp_path})
    rule = 'export = { to = "folder", format = "csv", per_day = 1, workbook = "Sales" }'

    def unknown() -> Event:
        return simulation.event(**{**simulation.happen("AdminPromoted").payload, "resource_luid": ""})

    simulation.run(unknown(), rule)
    with pytest.raises(Skip, match="limit reached: export was done once"):
        simulation.run(unknown(), rule)
    # Content has a limit of its own.
    assert simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), rule)


@pytest.mark.second_stage
def test_message_gets_its_file_though_the_limit_is_reached_meanwhile(simulation: Simulation) -> None:
    """A job whose message was sent goes on, although another one of the rule has ended since."""
    rule = 'export = { to = "slack:#bi", per_day = 1 }'
    simulation.inject(kind="error", target="slack", path="files", code="internal_error", times=1)
    job = simulation.job(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), rule)
    with pytest.raises(RetryLater, match="its picture was not"):
        call(registry.handler("export"), simulation.context(job))
    simulation.inbox.jobs.finish(simulation.job(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), rule))
    assert call(registry.handler("export"), simulation.context(job)) == "Sales sent to slack:#bi as pdf"
    assert len(simulation.running.world.slack.files) == 1
    with pytest.raises(Skip, match="limit reached"):
        simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), rule)


def test_workbooks_of_the_same_name(simulation: Simulation, tmp_path: Path) -> None:
    """The error lists their LUIDs, which can be used; a long name in any script is cut for the folder."""
    simulation.settings = simulation.settings.model_copy(update={"export_dir": tmp_path})
    home = simulation.running.world.home
    first, second = list(home.workbooks.values())[:2]
    first.name = second.name = "売上分析" * 30
    orders, rule = "DatasourceRefreshSucceeded", 'export = {{ to = "folder", workbook = "{}" }}'
    with pytest.raises(Permanent, match=r"2 workbooks are called .*; write the LUID: ") as refused:
        simulation.run(simulation.happen(orders, name="Orders"), rule.format(first.name))
    assert second.luid in str(refused.value)
    simulation.run(simulation.happen(orders, name="Orders"), rule.format(second.luid))
    (saved,) = tmp_path.glob("*.pdf")
    assert saved.name.partition(" ")[2].startswith("売上分析")


def test_exports_stay_within_tableaus_limit(simulation: Simulation, tmp_path: Path) -> None:
    """Of many at once, a few are rendered and the others wait."""
    simulation.settings = simulation.settings.model_copy(update={"export_dir": tmp_path})
    rule = 'export = { to = "folder", format = "csv", per_day = 100 }'
    site = simulation.running.world.home.luid
    used = [simulation.inbox.budgets.take([export_limit(site)]) for _ in range(30)]
    assert used[0] is None
    assert used[-1] is not None
    with pytest.raises(RetryLater, match="Tableau renders 20 exports at the same time"):
        simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), rule)
    assert exports(simulation) == []


def test_email_contains_its_file() -> None:
    """A mail program offers the file under its name."""
    person = Address(addr_spec="ann@example.org")
    message = Message("Sales", picture=Picture(b"a,b\n1,2\n", "Sales.csv", "Sales, rendered by Tableau"))
    mail = render(message, person, [person], datetime.now(UTC))
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("Sales.csv", "text/csv")
    assert attached.get_payload(decode=True) == b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ('export = "twilio:+15550100"', "takes no files; write slack:#channel, email:ann@example.org or folder"),
        ('export = { format = "docx" }', "format:"),
        ('export = { view = "" }', "view:"),
    ],
)
def test_invalid_parameters_are_reported(action: str, problem: str) -> None:
    """The error says what is wrong and has the line of its key."""
    registry.load()
    with pytest.raises(RulesError) as caught:
        parse(f'[[rule]]\nname = "R"\non = "*"\n{action}\n', registry.actions)
    assert problem in str(caught.value)
