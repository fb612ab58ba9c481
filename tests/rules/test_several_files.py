"""Rules in several files, with defaults and names for destinations."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from webhooks.handlers.notify import NotifyParams
from webhooks.rules import Rules, RulesError, RulesSource, load, parse
from webhooks.rules.source import include_patterns, read_source

Actions = dict[str, type[BaseModel]]
RULE = '[[rule]]\nname = "{0}"\non = "*"\nnotify = "slack:#{0}"\n'


@pytest.fixture
def actions() -> Actions:
    return {"notify": NotifyParams}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "rules.toml"


def destinations(rules: Rules) -> list[list[str]]:
    return [[str(action.params.get("to")) for action in rule.actions] for rule in rules.rules]


def errors(text: str | RulesSource, actions: Actions) -> list[str]:
    with pytest.raises(RulesError) as caught:
        parse(text, actions)
    return list(map(str, caught.value.errors))


def test_included_files_follow_in_the_order_of_their_names(tmp_path: Path, actions: Actions) -> None:
    """The rules of the file itself come first; hidden files and the file itself are left out."""
    files = {f"rules.d/{name}.toml": RULE.format(name) for name in ("b", "a", ".hidden", "a~")}
    path = write(tmp_path, {"rules.toml": 'include = ["rules.d/?.toml", "*.toml"]\n' + RULE.format("main"), **files})
    assert [rule.name for rule in load(path, actions).rules] == ["main", "a", "b"]
    link = tmp_path / "elsewhere" / "rules.toml"
    link.parent.mkdir()
    link.symlink_to(path)
    assert [rule.name for rule in load(link, actions).rules] == ["main", "a", "b"]


def test_errors_name_the_included_file(actions: Actions) -> None:
    """Each error has the file and the line of its key; a name must be unique in all files."""
    text = 'include = "rules.d/*.toml"\n' + RULE.format("main")
    included = {
        "rules.d/a.toml": RULE.format("main") + "[digest]\nat = 1\n",
        "rules.d/b.toml": RULE.format("b").replace("notify", "notfy"),
    }
    assert errors(RulesSource(text, included), actions) == [
        "rules.d/a.toml, line 5: digest belongs into the rules file itself, not into a file that it includes",
        'rule 1 "main" (rules.d/a.toml, line 2): rule 1 "main" (line 2) has the same name; give each rule its own',
        'rule 1 "b" (rules.d/b.toml, line 4): notfy is not known; did you mean notify?',
        'rule 1 "b" (rules.d/b.toml, line 1): has no action; add one (notify), for example notify = "slack"',
    ]
    broken = RulesSource(text, {"rules.d/a.toml": "[[rule]\n", "rules.d/b.toml": "x = \n"})
    found = errors(broken, actions)
    assert [one.partition(":")[0] for one in found] == ["rules.d/a.toml", "rules.d/b.toml"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ('"rules.d/x.toml"', "include (line 1): there is no file 'rules.d/x.toml' in the folder of the rules file"),
        ('["../x.toml"]', "include (line 1): '../x.toml' is outside of the folder of the rules file"),
        ('"/etc/x.toml"', "include (line 1): '/etc/x.toml' is outside of the folder of the rules file"),
        ("7", "include (line 1): 7 should be the name of a file"),
    ],
)
def test_invalid_includes_are_errors(value: str, error: str, tmp_path: Path, actions: Actions) -> None:
    """A pattern that matches no file is a warning, because the folder may be empty; everything else is an error."""
    path = write(tmp_path, {"rules.toml": f"include = {value}\n" + RULE.format("main")})
    (found,) = errors(read_source(path), actions)
    assert found.startswith(error)
    path.write_text('include = "rules.d/*.toml"\n' + RULE.format("main"))
    assert load(path, actions).warnings == ("include (line 1): 'rules.d/*.toml' matches no file",)


def test_rules_inherit_the_defaults(actions: Actions) -> None:
    """A rule's own keys win, conditions are inherited one by one, and an included file may have defaults of its own."""
    text = """
[defaults]
on = "*RefreshFailed"
where = { project = "!Sandbox*", tags = "!draft" }
notify = "slack:#bi"
repeat = "4h"
max_attempts = 5

[[rule]]
name = "A"

[[rule]]
name = "B"
on = "WorkbookCreated"
where = { project = "Finance" }
notify = { to = "console", repeat = "1h" }
"""
    included = '[defaults]\nnotify = "slack:#ops"\nwhere.owner = "ann"\n[[rule]]\nname = "C"\n'
    rules = parse(RulesSource(text, {"c.toml": included}), actions)
    first, second, third = rules.rules
    assert [rule.event_filter.on for rule in rules.rules] == [
        ("*RefreshFailed",),
        ("WorkbookCreated",),
        ("*RefreshFailed",),
    ]
    assert first.event_filter.where.tableau == {"project": ("!Sandbox*",), "tags": ("!draft",)}
    assert second.event_filter.where.tableau == {"project": ("Finance",), "tags": ("!draft",)}
    assert third.event_filter.where.tableau == {**first.event_filter.where.tableau, "owner": ("ann",)}
    assert destinations(rules) == [["slack:#bi"], ["console"], ["slack:#ops"]]
    assert [rule.actions[0].params["repeat"] for rule in rules.rules] == ["4h", "1h", "4h"]
    assert [rule.max_attempts for rule in rules.rules] == [5, 5, 5]


def test_errors_of_defaults_are_reported_once(actions: Actions) -> None:
    """They have the line of the key in [defaults], however many rules inherit it."""
    text = """[defaults]
nam = "x"
repeat = "soon"
where.projekt = "x"
notify = "slak"
stop = true
"""
    found = errors(text + RULE.format("a") + RULE.format("b"), actions)
    assert [one.partition(": ")[0] for one in found] == [f"defaults (line {line})" for line in (2, 3, 4, 5, 6)]


def test_named_destinations_mean_what_the_table_says(actions: Actions) -> None:
    """A name can be used wherever a destination can, alone, in a list and in a table."""
    text = """
[destinations]
finance = ["slack:#finance", "twilio:+15550100"]
bi = "slack:#bi"

[[rule]]
name = "A"
on = "*"
notify = "finance"

[[rule]]
name = "B"
on = "*"
notify = ["bi", { to = ["finance", "console"], picture = true }]

[dead_letters]
notify = ["bi", "console"]

[digest]
at = "08:00"
notify = "finance"
"""
    rules = parse(text, actions)
    assert destinations(rules) == [
        ["slack:#finance", "twilio:+15550100"],
        ["slack:#bi", "slack:#finance", "twilio:+15550100", "console"],
    ]
    assert rules.dead_letters == ("slack:#bi", "console")
    assert rules.digest
    assert rules.digest.notify == ("slack:#finance", "twilio:+15550100")


def test_invalid_names_of_destinations_are_errors(actions: Actions) -> None:
    """A name must not hide a destination, and a misspelt one in a rule is no destination."""
    text = """[destinations]
slack = "slack:#bi"
ops = "slak"
all = ["ops", 7]
none = []
"""
    found = errors(text + RULE.format("a").replace("slack:#a", "opps"), actions)
    assert [one.partition(": ")[0] for one in found] == [
        "destinations (line 2)",
        "destinations (line 3)",
        "destinations (line 4)",
        "destinations (line 4)",
        "destinations (line 5)",
        'rule 1 "a" (line 9)',
    ]
    assert "slack is a destination already" in found[0]


def test_unchanged_text_is_not_parsed_again(tmp_path: Path) -> None:
    """The file is read every second, and its text is parsed only after a change."""
    path = tmp_path / "rules.toml"
    include_patterns.cache_clear()
    for text in ("include = []", "include = []", 'include = "more/*.toml"'):
        path.write_text(text)
        read_source(path)
    assert include_patterns.cache_info().misses == 2
