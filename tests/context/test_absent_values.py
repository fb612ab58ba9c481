"""Content without a project, an owner or tags: which conditions hold, and the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tableau_rest import Forbidden
from tableau_rest.models import Reference, User, Workbook
from tableau_rest.models.model import NO_REFERENCE
from tests.support.fake_tableau import FakeTableau
from tests.support.handler_context import MakeContext, MakeJob
from tests.support.simulated_actions import Simulation
from webhooks.context.conditions import check_conditions
from webhooks.errors import Permanent, Skip

NO_VALUE = 'without a value, not {} does not hold; "(none)" would match'


class Bare(FakeTableau):
    """A Tableau whose workbook lacks what `fields` leaves empty."""

    def __init__(self, user: User | Exception | None = None, **fields: Any) -> None:
        super().__init__()
        self.fields, self._user = fields, user

    def workbook(self, luid: str) -> Workbook:
        return replace(super().workbook(luid), **self.fields)

    def user(self, luid: str) -> Any:
        if isinstance(self._user, Exception):
            raise self._user
        return self._user


@pytest.mark.parametrize(
    ("fields", "where", "reason"),
    [
        ({"project": NO_REFERENCE}, {"project": ["*"]}, "project is none, not *"),
        ({"project": NO_REFERENCE}, {"project": ["!Sandbox*"]}, f"project is none: {NO_VALUE.format('Sandbox*')}"),
        ({"project": NO_REFERENCE}, {"project": ["!(none)"]}, "project is none, excluded by !(none)"),
        (
            {"project": NO_REFERENCE, "location_type": "PersonalSpace"},
            {"project": ["!Sandbox*"]},
            f"project is none (Personal Space): {NO_VALUE.format('Sandbox*')}",
        ),
        ({"owner": NO_REFERENCE}, {"owner": ["*"]}, "owner is none, not *"),
        ({"owner": NO_REFERENCE}, {"owner": ["!ann"]}, f"owner is none: {NO_VALUE.format('ann')}"),
        ({"tags": ()}, {"tags": ["*"]}, "tags is none, not *"),
        ({"tags": ()}, {"tags": ["gold", "!draft"]}, "tags is none, not gold"),
        ({"tags": ()}, {"tags": ["!(none)"]}, "tags is none, excluded by !(none)"),
    ],
)
def test_absent_value_holds_no_condition_by_silence(
    fields: dict[str, Any], where: dict[str, list[str]], reason: str, context: MakeContext, job: MakeJob
) -> None:
    """Neither a pattern nor one that excludes matches a value that is absent, and the reason says so."""
    with pytest.raises(Skip) as caught:
        check_conditions(context(job(where=where), tableau=lambda: Bare(**fields)))
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("fields", "where", "reason"),
    [
        ({"project": NO_REFERENCE}, {"project": ["(none)"]}, "project none ~ (none)"),
        (
            {"project": NO_REFERENCE},
            {"project": ["*", "(none)", "!Sandbox*"]},
            "project none ~ * or (none), not Sandbox*",
        ),
        ({"owner": NO_REFERENCE}, {"owner": ["ann", "(none)"]}, "owner none ~ ann or (none)"),
        ({"tags": ()}, {"tags": ["(none)"]}, "tags none ~ (none)"),
        ({"tags": ()}, {"tags": ["!draft"]}, "tags none ~ not draft"),
        ({}, {"project": ["!(none)"]}, "project Finance/Reports ~ not (none)"),
    ],
)
def test_absent_value_that_is_asked_for(
    fields: dict[str, Any], where: dict[str, list[str]], reason: str, context: MakeContext, job: MakeJob
) -> None:
    """`(none)` matches it. An empty list of tags is known to be all tags, so an excluded tag is not among them."""
    assert check_conditions(context(job(where=where), tableau=lambda: Bare(**fields))) == reason


def test_owner_without_a_name_is_looked_up(context: MakeContext, job: MakeJob) -> None:
    """An owner of whom the content has only the LUID is not absent: the name is asked for, or unknown."""
    nameless, claimed = {"owner": Reference("u1")}, job(where={"owner": ["!ben"]})
    known = Bare(User("u1", "ann"), **nameless)
    assert check_conditions(context(claimed, tableau=lambda: known)) == "owner ann ~ not ben"
    for user in (User("u1", ""), Forbidden("not for you")):
        with pytest.raises(Permanent, match="Cannot evaluate the condition on owner"):
            check_conditions(context(claimed, tableau=lambda user=user: Bare(user, **nameless)))


def test_personal_space_is_not_announced(simulation: Simulation) -> None:
    """A rule that only excludes a project sends nothing about private content."""
    event = simulation.cause("WorkbookUpdated", name="Cash Flow")
    document = (
        f'{{"workbook": {{"id": "{event.resource_luid}", "name": "x", "location": {{"type": "PersonalSpace"}}}}}}'
    )
    simulation.inject(kind="document", path="/workbooks/", document=document)
    with pytest.raises(Skip, match=r"project is none \(Personal Space\)"):
        simulation.run(event, 'where = { project = "!Sandbox*" }\nnotify = "slack"')
    assert simulation.messages == []
