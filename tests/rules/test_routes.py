"""The table `[routes]`: its errors, and the jobs of rules that use it."""

from __future__ import annotations

import pytest

from notifiers import Notifiers, SlackConfig
from webhooks.destinations import delivery_warnings, destinations_of, kind_of
from webhooks.handlers.notify import NotifyParams
from webhooks.rules import Rules, RulesError, RulesSource, parse

ACTIONS = {"notify": NotifyParams}
RULE = '[[rule]]\nname = "R"\non = "*RefreshFailed"\n'


def routed(routes: str, notify: str = '"routes"', before: str = "") -> Rules:
    return parse(f"{before}[routes]\n{routes}\n{RULE}notify = {notify}\n", ACTIONS)


def errors(text: str | RulesSource) -> list[str]:
    with pytest.raises(RulesError) as caught:
        parse(text, ACTIONS)
    return list(map(str, caught.value.errors))


def test_each_destination_of_a_route_has_a_job() -> None:
    """A project that no route matches has default; names of destinations are replaced; policies are kept."""
    names = '[destinations]\nbi = ["slack:#bi", "twilio:+15550100"]\n'
    (rule,) = routed('"Finance*" = "bi"\nHR = "owner"', '{ to = "routes", failures = 3 }', names).rules
    first, second = rule.jobs
    assert (first.key, second.key) == ("R/notify/routes", "R/notify/routes 2")
    assert first.params == {
        "to": "routes",
        "failures": 3,
        "routes": [["Finance*", "slack:#bi"], ["HR", "owner"], ["*", "default"]],
    }
    assert second.params["routes"] == [["Finance*", "twilio:+15550100"], ["HR", ""], ["*", ""]]
    assert all(NotifyParams.model_validate(job.params).to == "routes" for job in rule.jobs)


def test_routes_are_used_next_to_other_destinations() -> None:
    """A list may have routes in it, and [defaults] and rules of included files may use the table."""
    (rule,) = routed('"*" = "slack:#bi"', '["routes", "slack:#all"]').rules
    assert [job.key for job in rule.jobs] == ["R/notify/routes", "R/notify/slack:#all"]
    text = 'include = "a.toml"\n[routes]\nHR = "slack:#hr"\n[defaults]\nnotify = "routes"\n'
    (inherited,) = parse(RulesSource(text, {"a.toml": RULE}), ACTIONS).rules
    assert [job.key for job in inherited.jobs] == ["R/notify/routes"]


def test_destinations_of_routes_are_those_of_the_rules() -> None:
    """They are checked like others, and a message can go to each of them; a template is not looked up."""
    rules = routed('HR = "twilio:+15550100"\n"Ops*" = ["slack:#{{ name | slug }}", "owner"]')
    assert rules.destinations == ("twilio:+15550100", "default", "owner", "default")
    notifiers = Notifiers(slack=SlackConfig("xoxb-1", "#bi"))
    assert delivery_warnings(rules.destinations, notifiers) == [
        "rules send messages to twilio, which is not configured"
    ]
    first, _ = rules.rules[0].jobs
    assert {kind_of(to, {"slack"}) for to in destinations_of(first.params)} == {"twilio", "slack"}


def test_table_without_use_is_a_warning() -> None:
    """A person who writes [routes] alone expects that it has an effect."""
    assert routed('HR = "slack:#hr"', '"slack"').warnings == (
        'routes (line 1): no rule uses this table; write notify = "routes" in a rule',
    )
    assert routed('HR = "slack:#hr"').warnings == ()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('HR = "slak:#hr"', "routes (line 3): HR: "),
        ("HR = []", "routes (line 3): HR: an empty list means no destination; add one"),
        ("HR = 1", 'routes (line 3): HR: 1 should be text in quotes, such as "slack:#bi"'),
        ('HR = "routes"', "routes (line 3): HR: routes cannot be a destination of a route"),
        ('HR.EU = "slack:#hr"', "routes (line 3): HR: write the whole pattern in quotes"),
        ('"!HR" = "slack:#hr"', "routes (line 3): '!HR' is not a pattern for projects"),
        ('" " = "slack:#hr"', "routes (line 3): ' ' is not a pattern for projects"),
        ('"FINANCE" = "slack:#hr"', "routes (line 3): 'FINANCE' is the same as 'Finance'; give each pattern once"),
        ('"*" = "slack:#hr"', "routes (line 3): '*' matches every project; write it at the end"),
    ],
)
def test_error_of_a_route_has_its_line(line: str, error: str) -> None:
    """It is reported once, not at each rule that uses the table."""
    (found,) = errors(f'[routes]\nFinance = "slack:#f"\n{line}\nOps = "slack:#ops"\n{RULE}notify = "routes"\n')
    assert found.startswith(error)


def test_errors_of_the_use_of_routes() -> None:
    """Rules need the table; it has a limit, and cannot be the destination of messages about the server itself."""
    rule = RULE + 'notify = "routes"\n'
    (found,) = errors(rule)
    needed = 'routes needs a table [routes], and below it for example "Finance*" = "slack:#finance-data"'
    assert found == f'rule 1 "R" (line 4): notify: {needed}'
    assert errors("routes = 1\n" + rule)[0].startswith("routes (line 1): should be a table: [routes]")
    many = "\n".join(f'p{number} = "slack:#a"' for number in range(201))
    assert errors(f"[routes]\n{many}\n{rule}") == ["routes (line 1): has 201 routes; the limit is 200"]
    table = '[routes]\nHR = "slack:#hr"\n'
    (found,) = errors(f"{table}{rule}[dead_letters]\nnotify = 'routes'\n")
    assert "routes is for notify in rules and watches" in found
    (found,) = errors(f"{table}[destinations]\nroutes = 'slack:#a'\n{rule}")
    assert found.startswith("destinations (line 4): routes is a destination already")
    (found,) = errors(RulesSource('include = "a.toml"\n' + RULE + 'notify = "slack"\n', {"a.toml": table}))
    assert found.startswith("a.toml, line 1: routes belongs into the rules file itself")
    (found,) = errors(f"{table}{RULE}notify = {{ to = 'routes', routes = [['HR', 'slack:#a']] }}\n")
    assert "routes is not known here; write a table [routes]" in found
