"""What a rules file may get wrong, and what its author is told."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from webhooks.rules import RulesError, parse

Actions = dict[str, type[BaseModel]]
GOOD = '[[rule]]\nname = "A"\non = "*"\nnotify = "slack"\n'


def faults(text: str, actions: Actions) -> list[str]:
    with pytest.raises(RulesError) as caught:
        parse(text, actions)
    return list(map(str, caught.value.errors))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("name", "nmae", 'rule 1 "" (line 1): nmae is not known; did you mean name?'),
        ("notify", "notfy", 'rule 1 "A" (line 1): notfy is not known; did you mean notify?'),
        ('name = "A"', "", 'rule 1 "" (line 1): name is missing; for example name = "Finance refresh failures"'),
        ('name = "A"', 'name = " "', 'rule 1 " " (line 1): name: " " is empty or too short (at least 1)'),
        ('name = "A"', "name = 7", 'rule 1 "7" (line 1): name: 7 should be text in quotes'),
        ('on = "*"', "", 'rule 1 "A" (line 1): on is missing; for example on = ['),
        ('on = "*"', "on = []", 'rule 1 "A" (line 1): on: an empty list matches nothing'),
        ('on = "*"', "on = [7]", 'rule 1 "A" (line 1): on: 7 should be text in quotes'),
        ('on = "*"', 'on = "*"\nwhere = "Finance"', "where: should be a table, such as { project = "),
        ('on = "*"', 'on = "*"\nwhere.projekt = "F"', "where: projekt is not a condition; did you mean project?"),
        ('on = "*"', 'on = "*"\nenabled = "no"', 'enabled: "no" should be true or false, without quotes'),
        ('on = "*"', 'on = "*"\nmax_attempts = 0', "max_attempts: 0 should be 1 or more"),
        ('on = "*"', 'on = "*"\nmax_attempts = "3"', 'max_attempts: "3" should be a whole number, without quotes'),
        ('notify = "slack"', "", "does nothing; add what to do (notify, tag, refresh, wait), for example notify ="),
        ('"slack"', '"slak"', "notify: to: 'slak' is no destination; it begins with one of slack, twilio,"),
        ('"slack"', '"slack:"', "notify: to: 'slack:' has nothing after the colon"),
        ('"slack"', '"slack:finance data"', "notify: to: 'finance data' is no place in Slack"),
        ('"slack"', "[]", "notify: an empty list does nothing"),
        ('"slack"', "{ to = [] }", "notify: to: an empty list does nothing"),
        ('"slack"', "7", "notify: to: 7 should be text in quotes"),
        ('"slack"', '{ too = "slack" }', "notify: too is not known here; did you mean to?"),
        (
            '"slack"',
            '{ to = "slack", picture = "yes please" }',
            'notify: picture: "yes please" should be true or false',
        ),
        ('"slack"', '["slack", "slack"]', 'rule 1 "A" (line 1): 2 times: notify slack; each may stand once'),
        ('"slack"', '["slack:#a", "slack: #a"]', "2 times: notify slack:#a; each may stand once"),
        ('"slack"', '["twilio:+15550100", "twilio:+1 555 0100"]', "2 times: notify twilio:+15550100; each may stand"),
        ('"slack"', '"slack"\ntag = [7]', "tag: tags: 7 should be text in quotes"),
        ('"slack"', '"slack"\nrefresh = "soon"', "refresh: has nothing to set; write true"),
        ('"slack"', '"slack"\nrefresh = ["a"]', "refresh: has nothing to set; write true"),
    ],
)
def test_fault_says_what_would_be_right(old: str, new: str, fault: str, actions: Actions) -> None:
    """One mistake in a sound rule is named with its place and what would have been right."""
    found = faults(GOOD.replace(old, new, 1), actions)
    assert any(fault in one for one in found), found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            GOOD + GOOD,
            'rule 2 "A" (line 5): rule 1 "A" (line 1) has the same name; each rule needs one of its own',
        ),
        (GOOD.replace("[[rule]]", "[rule]"), "write [[rule]], with two brackets on each side"),
        (GOOD.replace("[[rule]]", "[[rules]]"), "rules is not known here; did you mean rule?"),
        ("rule = 3", "write [[rule]], with two brackets on each side"),
        ("rule = [3]", "write [[rule]], with two brackets on each side"),
        ("[dead_letter]\nnotify = 'slack'", "dead_letter is not known here; did you mean dead_letters?"),
        ("[dead_letters]\nnotify = 'slak'", "dead_letters: notify: 'slak' is no destination"),
        ("[dead_letters]\nto = 'slack'", "dead_letters: to is not known here; choose one of: notify"),
        ("name = ", "not TOML: Invalid value (at end of document)"),
        ("[[rule]]\nname = \u201cA\u201d", "(at line 2, column 8); use straight quotation marks"),
    ],
)
def test_fault_of_the_whole_file_is_named(text: str, fault: str, actions: Actions) -> None:
    """What is wrong outside of a single rule is named too."""
    found = faults(text, actions)
    assert any(fault in one for one in found), found


def test_every_fault_is_named_at_once(actions: Actions) -> None:
    """One look at the message is enough to mend the file: each fault stands on a line of its own."""
    second = GOOD.replace("name", "nmae").replace("slack", "slak").replace('"A"', '"B"')
    with pytest.raises(RulesError) as caught:
        parse(f"# a comment\n{GOOD.replace('on =', 'no =')}\n{second}", actions, source="my-rules.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "my-rules.toml has 5 errors:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        *['rule 1 "A" (line 2)'] * 2,
        *['rule 2 "" (line 7)'] * 3,
    ]


def test_places_do_without_lines_where_rules_are_written_inline(actions: Actions) -> None:
    """Where rules do not stand under [[rule]] no wrong line is claimed."""
    found = faults('rule = [{ name = "A", on = "*", notify = "slak" }]', actions)
    assert found[0].startswith('rule 1 "A": notify')


def test_slip_in_an_event_type_is_told_beside_the_faults(actions: Actions) -> None:
    """It is no fault by itself, but whoever mends the file need not look twice; also where `where` is wrong."""
    text = GOOD.replace('"*"', '"WorkbookCreatd"').replace("slack", "slak") + GOOD.replace('"A"', '"B"').replace(
        '"*"', '"UserDeletd"\nwhere = 3'
    )
    with pytest.raises(RulesError) as caught:
        parse(text, actions)
    assert len(caught.value.errors) == 2
    assert 'and perhaps rule 1 "A" (line 1): WorkbookCreatd is not an event type' in str(caught.value)
    assert "did you mean UserDeleted?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no rule in the file"),
        (GOOD + "enabled = false", "every rule is switched off"),
    ],
)
def test_rules_that_tell_nobody_are_pointed_out(text: str, words: str, actions: Actions) -> None:
    """No fault, but hardly what its author wants."""
    (warning,) = parse(text, actions).warnings
    assert warning == f"{words}: events are kept, and no rule tells anybody of them"
