"""Find patterns that can never match, and say what was probably meant. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from webhooks.event_types import KINDS, RULE_EVENT_TYPES, EventType
from webhooks.incidents.reasons import ADVICE
from webhooks.patterns import MAX_COMPARED, Patterns, divide, is_glob, matches
from webhooks.spelling import hint
from webhooks.text import INVISIBLE, JOINERS, cut, escape_invisible

# The pattern for a value that is absent, such as the project of content in a Personal Space.
NONE = "(none)"
# They look like a space and are none; others, such as the ideographic space, are usual in names.
FIXED_BLANKS = "\u00a0\u2007\u202f"
LUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PART_OF_LUID = re.compile(r"[0-9a-f*?-]+", re.IGNORECASE)
NOT = re.compile(r"(not |NOT |!=|<>)\s*")
REGULAR_EXPRESSION = re.compile(r"\.\*|^\^|\$$")
# Characters of a pattern in a sentence.
MAX_SHOWN = 80
# Conditions with a fixed set of values, and those whose patterns are checked when they are read.
VALUES = {"content_type": tuple(dict.fromkeys(KINDS.values())), "reason_class": tuple(ADVICE)}
NOT_TEXTS = ("day", "hour", "failures")

# The content that an action can change; other actions apply to all events.
ACTS_ON = {
    **dict.fromkeys(("refresh", "transfer"), ("workbook", "datasource")),
    **dict.fromkeys(("tag", "untag"), ("workbook", "datasource", "view")),
    **dict.fromkeys(("label", "unlabel", "cancel"), ("workbook", "datasource", "flow")),
    **dict.fromkeys(("certify", "uncertify", "downstream"), ("datasource",)),
}
# Subjects of events that can be about content of several kinds.
SEVERAL_KINDS = ("label", "bridge", "watch")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sentence about a condition or an event type, and the pattern that it is about, as written."""

    text: str
    pattern: str = ""


def find_mistakes(on: Patterns, conditions: Sequence[tuple[str, Patterns]]) -> Iterator[Mistake]:
    """Yield what is certainly or probably wrong with the patterns of a rule, in their order."""
    for name, patterns in (("on", on), *conditions):
        if name in NOT_TEXTS:
            continue
        for pattern in patterns:
            glob = pattern.removeprefix("!")
            if problem := _character_problem(glob) or _value_problem(name, glob):
                yield Mistake(f"{name}: {_quoted(glob)} {problem}", pattern)
        yield from _contradictions(name, patterns)
    yield from _impossible_for_types(on, dict(conditions))


def find_useless_actions(on: Patterns, actions: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the actions that can do nothing for any event type that `on` selects, and a sentence that says so."""
    selected = [one for one in RULE_EVENT_TYPES.values() if matches(on, [one.name])]
    if not selected or any(one.subject in SEVERAL_KINDS for one in selected):
        return
    for action in actions:
        subjects = ACTS_ON.get(action)
        if subjects and not any(one.subject in subjects and not one.content_gone for one in selected):
            kinds = " and ".join(f"{one}s" for one in subjects).replace("datasource", "data source")
            yield action, f"{action}: does nothing for {_names(selected)}; it is for {kinds}"


def _names(types: Sequence[EventType]) -> str:
    return " and ".join(one.name for one in types[:2]) + (", for example," if len(types) > 2 else "")


def _quoted(text: str) -> str:
    return f'"{escape_invisible(cut(text, MAX_SHOWN))}"'


def _character_problem(glob: str) -> str:
    """Return what is wrong with the characters of a pattern, whatever it is compared with; empty if nothing is."""
    visible = "".join(" " if char in FIXED_BLANKS else char for char in glob if not _is_invisible(char))
    meant = _quoted(visible.strip())
    for position, character in enumerate(glob, 1):
        if _is_invisible(character) or character in FIXED_BLANKS:
            kind = "a space of another kind" if character in FIXED_BLANKS else "an invisible character"
            name = unicodedata.name(character, "control character").lower()
            return f"contains {kind} at position {position}, U+{ord(character):04X} {name}; did you mean {meant}?"
    if glob != glob.strip():
        return f"begins or ends with a space, which no name does; did you mean {meant}?"
    if found := NOT.match(glob):
        return f"does not exclude anything; did you mean {_quoted('!' + glob[found.end() :])}?"
    if len(glob) > MAX_COMPARED and not is_glob(glob):
        return f"has more than {MAX_COMPARED} characters, and no name is so long"
    if REGULAR_EXPRESSION.search(glob):
        meant = _quoted(glob.replace(".*", "*").removeprefix("^").removesuffix("$"))
        return f"looks like a regular expression, but only * and ? are special; did you mean {meant}?"
    return ""


def _value_problem(name: str, glob: str) -> str:
    """Return why no value of this field can match; empty if one can."""
    if name == "resource":
        values = {one.resource for one in RULE_EVENT_TYPES.values() if one.resource}
        return "" if matches((glob,), values) or glob == NONE else f"is not a kind of resource; {hint(glob, values)}"
    if name in VALUES:
        values = set(VALUES[name])
        word = name.replace("_", " ")
        return "" if matches((glob,), values) or glob == NONE else f"is not a {word}; {hint(glob, values)}"
    if name == "resource_luid" and glob != NONE and not (PART_OF_LUID if is_glob(glob) else LUID).fullmatch(glob):
        return "is not a LUID, such as 6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6; compare names with name"
    if name == "project" and glob.strip("/") and glob != glob.strip("/"):
        meant = f"{glob}*" if glob.endswith("/") and not glob.startswith("/") else glob.strip("/")
        return f"begins or ends with a slash, which no path of a project does; did you mean {_quoted(meant)}?"
    return ""


def _contradictions(name: str, patterns: Patterns) -> Iterator[Mistake]:
    """Yield the patterns that are excluded as well."""
    included, excluded = divide(patterns)
    if "*" in excluded:
        if NONE not in included:
            yield Mistake(f'{name}: "!*" excludes everything, so nothing matches', "!*")
        return
    for pattern in included:
        excluding = next((one for one in excluded if _covers(one, pattern)), None)
        if excluding is not None:
            consequence = "so nothing matches" if len(included) == 1 else "so it has no effect"
            yield Mistake(f'{name}: {_quoted(pattern)} is excluded by "!{excluding}", {consequence}', pattern)


def _covers(excluded: str, pattern: str) -> bool:
    """Return whether `excluded` surely matches everything that `pattern` matches."""
    if NONE in {excluded, pattern}:
        return excluded == pattern
    # A `*` of `pattern` can only be matched by one of `excluded`; a `?` of `excluded` would match it as a character.
    if is_glob(pattern) and "?" in excluded:
        return excluded == pattern
    return matches((excluded,), [pattern])


def _impossible_for_types(on: Patterns, conditions: Mapping[str, Patterns]) -> Iterator[Mistake]:
    """Yield conditions that hold for none of the event types that `on` selects."""
    selected = [one for one in RULE_EVENT_TYPES.values() if matches(on, [one.name])]
    if not selected:
        return
    names = _names(selected)
    if patterns := conditions.get("resource"):
        possible = sorted({value for one in selected for value in _resources(one)})
        known = [one.resource for one in RULE_EVENT_TYPES.values() if one.resource]
        if possible and _any_matches(patterns, known) and not _any_matches(patterns, possible):
            yield Mistake(f"resource: never matches, because {names} have {' or '.join(possible)}", patterns[0])
    failing = [one for one in selected if one.verb == "failed"]
    for name in ("reason", "reason_class", "failures"):
        if name in conditions and not failing:
            yield Mistake(f"{name}: never holds for {names}, because only failures have one")
    if "certified" in conditions and not any(one.subject in {"datasource", "label"} for one in selected):
        yield Mistake(f"certified: never holds for {names}, because only data sources can be certified")


def _resources(one: EventType) -> set[str]:
    """Return the values of the payload's `resource` that events of a type have; a label is on any content."""
    if one.subject == "label":
        return {kind.upper() for kind in KINDS.values()}
    return {one.resource} if one.resource else set()


def _any_matches(patterns: Patterns, values: Iterable[str]) -> bool:
    return any(matches(patterns, [value]) for value in values)


def _is_invisible(character: str) -> bool:
    return character not in JOINERS and unicodedata.category(character) in INVISIBLE
