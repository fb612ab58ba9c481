"""The errors of a rules file, as its author reads them."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from webhooks.rules import RulesError, parse

Actions = dict[str, type[BaseModel]]
VALID = '[[rule]]\nname = "A"\non = "*"\nnotify = "slack"\n'


def errors(text: str, actions: Actions) -> list[str]:
    with pytest.raises(RulesError) as caught:
        parse(text, actions)
    return list(map(str, caught.value.errors))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("name", "nmae", "rule 1 (line 2): nmae is not known; did you mean name?"),
        ("notify", "notfy", 'rule 1 "A" (line 4): notfy is not known; did you mean notify?'),
        ('name = "A"', "", 'rule 1 (line 1): name is missing; for example name = "Finance refresh failures"'),
        ('name = "A"', 'name = " "', 'rule 1 " " (line 2): name: " " is empty or too short (at least 1)'),
        ('name = "A"', "name = 7", 'rule 1 "7" (line 2): name: 7 should be text in quotes'),
        ('on = "*"', "", 'rule 1 "A" (line 1): on is missing; for example on = ['),
        ('on = "*"', "on = []", 'rule 1 "A" (line 3): on: an empty list matches nothing'),
        ('on = "*"', "on = [7]", 'rule 1 "A" (line 3): on: 7 should be text in quotes'),
        ('on = "*"', 'on = "*"\nwhere = "Finance"', "where: should be a table, such as { project = "),
        ('on = "*"', 'on = "*"\nwhere.projekt = "F"', "where: projekt is not a condition; did you mean project?"),
        ('on = "*"', 'on = "*"\nenabled = "no"', 'enabled: "no" should be true or false, without quotes'),
        ('on = "*"', 'on = "*"\nmax_attempts = 0', "max_attempts: 0 should be 1 or more"),
        ('on = "*"', 'on = "*"\nmax_attempts = "3"', 'max_attempts: "3" should be a whole number, without quotes'),
        ('notify = "slack"', "", "has no action; add one (notify, refresh, tag, wait), for example notify ="),
        ('"slack"', '"slak"', "notify: to: 'slak' is"),
        ('"slack"', '"slack:"', "notify: to: 'slack:' has"),
        ('"slack"', '"slack:bi"', "'bi' is not an address in Slack. Write #bi for the channel"),
        ('"slack"', '"#bi"', "'#bi' is not a destination. Did you mean \"slack:#bi\"?"),
        ('"slack"', '"Slack:#bi"', 'Did you mean "slack:#bi"?'),
        ('"slack"', '"ann@example.org"', 'Did you mean "email:ann@example.org" or "slack:ann@example.org"?'),
        ('"slack"', '"sms:+15550100"', 'Did you mean "twilio:+15550100"?'),
        ('"slack"', '"+1 555 0100"', 'Did you mean "twilio:+1 555 0100"?'),
        ('"slack"', '"slack:#a, email:b@c.org"', 'several destinations. Write a list: ["slack:#a", "email:b@c.org"]'),
        ('"slack"', '"slack"\npicturs = 1\nto = "x"', 'to is not known; write notify = { to = "slack:#bi", to = … }'),
        ('"slack"', '"slack"\nproject = "A"', 'project is not known; conditions are in where = { project = "…" }'),
        ('on = "*"', 'event = "*"', "event is not known; did you mean on?"),
        ('on = "*"', 'on = "*"\nwhere.weekday = "mon"', "where: weekday is not a condition; did you mean day?"),
        (
            'notify = "slack"',
            '[rule.where]\nnotify = "a"',
            "where: notify is a key of the rule; write it above [rule.where]",
        ),
        ('"slack"', '"slack:finance data"', "notify: to: 'finance data' is"),
        ('"slack"', "[]", "notify: an empty list does nothing"),
        ('"slack"', "{ to = [] }", "notify: to: an empty list does nothing"),
        ('"slack"', "7", "notify: to: 7 should be text in quotes"),
        ('"slack"', '{ too = "slack" }', "notify: too is not known here; did you mean to?"),
        (
            '"slack"',
            '{ to = "slack", picture = "yes please" }',
            'notify: picture: "yes please" should be true or false',
        ),
        ('"slack"', '["slack", "slack"]', 'rule 1 "A" (line 4): notify slack is given 2 times; once is enough'),
        ('"slack"', '["slack:#a", "slack: #a"]', "notify slack:#a is given 2 times; once is enough"),
        ('"slack"', '["twilio:+15550100", "twilio:+1 555 0100"]', "notify twilio:+15550100 is given 2 times; once is"),
        ('"slack"', '"slack"\ntag = [7]', "tag: tags: 7 should be text in quotes"),
        ('"slack"', '"slack"\nrefresh = "soon"', "refresh: has no parameters; write true"),
        ('"slack"', '"slack"\nrefresh = ["a"]', "refresh: has no parameters; write true"),
    ],
)
def test_error_says_what_is_expected(old: str, new: str, error: str, actions: Actions) -> None:
    """One mistake in a valid rule is reported with its place and with what is expected."""
    found = errors(VALID.replace(old, new, 1), actions)
    assert any(error in one for one in found), found


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (VALID + VALID, 'rule 2 "A" (line 6): rule 1 "A" (line 1) has the same name; give each rule its own'),
        (VALID.replace("[[rule]]", "[rule]"), "write [[rule]], with two brackets on each side"),
        (VALID.replace("[[rule]]", "[[rules]]"), "rules is not known here; did you mean rule?"),
        ("rule = 3", "write [[rule]], with two brackets on each side"),
        ("rule = [3]", "write [[rule]], with two brackets on each side"),
        ("[dead_letter]\nnotify = 'slack'", "dead_letter is not known here; did you mean dead_letters?"),
        ("[dead_letters]\nnotify = 'slak'", "dead_letters (line 2): notify: 'slak' is"),
        ("[dead_letters]\nnotify = 'owner'", "dead_letters (line 2): notify: owner is for messages about one content"),
        ("[dead_letters]\nto = 'slack'", "dead_letters (line 2): to is not known here; choose one of: notify"),
        ("name = ", "not TOML: Invalid value (at end of document)"),
        ("[[rule]]\nname = \u201cA\u201d", "(at line 2, column 8); use straight quotation marks"),
        ("[[rule]]\nname = Sales", '(at line 2, column 8); write text in straight quotation marks: "text"'),
        ('[[rule]]\non = ["a", "b"\nnotify = "c"', "(at line 3, column 1); the list above it needs a closing ]"),
        (f"{VALID}\n[[rule]\nname = 'B'", "in line 6, write [[rule]], with two brackets on each side"),
        (VALID.replace("[[rule]]", "[rule]") + VALID, "in line 1, write [[rule]], with two brackets on each side"),
        ('timezone = "Europe/Berlin"', "timezone is a setting; write TIMEZONE=… in .env"),
        ("[[digest]]\nat = '8:00'", "digest: write [digest], with one bracket on each side, and only once"),
        ("[digest]\n[digest]", "Cannot declare [digest] twice (at line 2, column 8); write it once"),
        ('a = "x\n', "a closing quotation mark is missing"),
        ("a = 'x\"", "a closing quotation mark is missing"),
        ('a = ["x" "y"]', "put a comma between the items"),
        ('a = "x", "y"', 'write several values as a list: ["one", "two"]'),
        ("a = 08:00", 'write text in straight quotation marks: "text"'),
        ("a: 1", "write = instead of the colon"),
        ("a 1", "write a key, = and its value"),
        ("a\u00a0= 1", "the line has a no-break space"),
        ("a = True", "write true and false in small letters"),
        ('a = [b = "c"]', "write a table in braces"),
        ("a = {\n b = 1 }", "write a table from { to } on one line"),
        ("a = { b = 1, b = 2 }", "the key is given twice"),
        ("a = 1\na = 2", "the key is given twice"),
        ('a = "Finance\\Reports"', "write single quotation marks around text with a backslash"),
    ],
)
def test_errors_outside_of_rules_are_reported(text: str, error: str, actions: Actions) -> None:
    """Errors that concern the whole file are reported, too."""
    found = errors(text, actions)
    assert any(error in one for one in found), found


def test_all_errors_are_reported_at_once(actions: Actions) -> None:
    """One look at the message is enough to correct the file: each error is on a line of its own."""
    second = VALID.replace("name", "nmae").replace("slack", "slak").replace('"A"', '"B"')
    with pytest.raises(RulesError) as caught:
        parse(f"# a comment\n{VALID.replace('on =', 'no =')}\n{second}", actions, source="my-rules.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "my-rules.toml has 5 errors:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        'rule 1 "A" (line 4)',
        'rule 1 "A" (line 2)',
        "rule 2 (line 8)",
        "rule 2 (line 7)",
        "rule 2 (line 10)",
    ]


def test_places_have_the_line_of_the_value(actions: Actions) -> None:
    """Each error has the line of its own key or list item, also in tables of any form."""
    text = """rule = [
  { name = "A", on = "*", notify = "slak" },
  { name = "B", on = [
      "*",  # "every" event
      7,
    ], notify = [
      "slack",
      { to = "slack:#a", picture = "maybe" },
    ], where = { project = "F", "tags" = ["x",
      ""] } },
]
"""
    assert [one.partition(":")[0] for one in errors(text, actions)] == [
        'rule 1 "A" (line 2)',
        'rule 2 "B" (line 5)',
        'rule 2 "B" (line 10)',
        'rule 2 "B" (line 8)',
    ]


def test_warnings_are_reported_with_the_errors(actions: Actions) -> None:
    """A misspelt event type is no error by itself, but it is reported at once, also if `where` is invalid."""
    text = VALID.replace('"*"', '"WorkbookCreatd"').replace("slack", "slak") + VALID.replace('"A"', '"B"').replace(
        '"*"', '"UserDeletd"\nwhere = 3'
    )
    with pytest.raises(RulesError) as caught:
        parse(text, actions)
    assert len(caught.value.errors) == 2
    assert 'warning: rule 1 "A" (line 3): WorkbookCreatd is not a known event type' in str(caught.value)
    assert "did you mean UserDeleted?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file contains no rule"),
        (VALID + "enabled = false", "all rules are disabled"),
    ],
)
def test_file_without_enabled_rules_is_a_warning(text: str, reason: str, actions: Actions) -> None:
    """It is valid, but probably not what its author wants."""
    (warning,) = parse(text, actions).warnings
    assert warning == f"{reason}: events are stored, but no rule acts on them"
