"""Validate blocks as Slack does before it shows them. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

Problems = list[str]
# Returns the problems of a block; `at` is its JSON pointer.
Check = Callable[[Mapping[str, object], str], Problems]

MAX_BLOCKS, MAX_CHARACTERS = 50, 13200
TOO_LONG = "msg_blocks_too_long"

# https://docs.slack.dev/reference/block-kit/composition-objects/text-object
TEXT_PROPERTIES = {"plain_text": ("type", "text", "emoji"), "mrkdwn": ("type", "text", "verbatim")}
BUTTON_PROPERTIES = ("type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label")
# https://docs.slack.dev/reference/block-kit/blocks
BLOCK_PROPERTIES = {
    "header": ("text",),
    "section": ("text", "fields", "accessory", "expand"),
    "context": ("elements",),
    "actions": ("elements",),
    "divider": (),
    "markdown": ("text",),
}

_checks: dict[str, Check] = {}


def validate(blocks: object, unsupported: Collection[str] = ()) -> Problems:
    """Return the problems of a list of blocks in Slack's words, with their places.

    `unsupported` are types of blocks that the workspace does not have yet.
    """
    if not isinstance(blocks, list):
        return ["must be an array [json-pointer:/blocks]"]
    problems = [f"no more than {MAX_BLOCKS} items allowed [json-pointer:/blocks]"] if len(blocks) > MAX_BLOCKS else []
    for index, block in enumerate(blocks):
        at = f"/blocks/{index}"
        if not isinstance(block, Mapping):
            problems.append(f"must be an object [json-pointer:{at}]")
        elif (check := _checks.get(kind := str(block.get("type")))) is None or kind in unsupported:
            problems.append(f"unsupported type: {block.get('type')} [json-pointer:{at}/type]")
        else:
            problems += check(block, at) + check_string(block.get("block_id", ""), 255, f"{at}/block_id")
            if kind in BLOCK_PROPERTIES:
                problems += check_properties(block, ("type", "block_id", *BLOCK_PROPERTIES[kind]), at)
    return problems + _duplicates(blocks, "block_id", "/blocks")


def _duplicates(entries: list[object], name: str, at: str) -> Problems:
    seen: set[object] = set()
    problems = []
    for index, entry in enumerate(entries):
        identifier = entry.get(name) if isinstance(entry, Mapping) else None
        if isinstance(identifier, str) and identifier in seen:
            problems.append(f"{name} already exists [json-pointer:{at}/{index}/{name}]")
        seen.add(identifier if isinstance(identifier, str) else None)
    return problems


def count_characters(value: object) -> int:
    """Return the number of characters in all texts of blocks."""
    if isinstance(value, Mapping):
        own = len(str(value["text"])) if isinstance(value.get("text"), str) else 0
        return own + sum(count_characters(entry) for entry in value.values() if not isinstance(entry, str))
    return sum(map(count_characters, value)) if isinstance(value, list) else 0


def checks(*types: str) -> Callable[[Check], Check]:
    """Register the check of these types of blocks."""

    def register(check: Check) -> Check:
        _checks.update(dict.fromkeys(types, check))
        return check

    return register


def check_string(value: object, most: int, at: str, *, least: int = 0) -> Problems:
    """Return the problems of a string by its length."""
    if not isinstance(value, str):
        return [f"must be a string [json-pointer:{at}]"]
    if len(value) > most:
        return [f"must be less than {most + 1} characters [json-pointer:{at}]"]
    return [f"must be more than {least - 1} characters [json-pointer:{at}]"] if len(value) < least else []


def check_properties(value: Mapping[str, object], known: Collection[str], at: str) -> Problems:
    """Return a problem for every property that Slack does not know."""
    return [f"invalid additional property: {name} [json-pointer:{at}]" for name in value if name not in known]


def _text(value: object, most: int, at: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Problems:
    if not isinstance(value, Mapping):
        return [f"missing required field: text [json-pointer:{at}]"]
    if value.get("type") not in kinds:
        return [f"unsupported type: {value.get('type')} [json-pointer:{at}/type]"]
    problems = check_properties(value, TEXT_PROPERTIES[str(value["type"])], at)
    return problems + check_string(value.get("text"), most, f"{at}/text", least=1)


def check_list(
    values: object, most: int, at: str, check: Callable[[object, str], Problems], *, least: int = 1
) -> Problems:
    """Return the problems of a list by its length, and of each of its entries."""
    if not isinstance(values, list) or not values:
        return [f"must be a non-empty array [json-pointer:{at}]"]
    problems = [f"no more than {most} items allowed [json-pointer:{at}]"] if len(values) > most else []
    if len(values) < least:
        problems.append(f"no fewer than {least} items allowed [json-pointer:{at}]")
    return problems + [problem for index, entry in enumerate(values) for problem in check(entry, f"{at}/{index}")]


@checks("header")
def _header(block: Mapping[str, object], at: str) -> Problems:
    return _text(block.get("text"), 150, f"{at}/text", ("plain_text",))


@checks("section")
def _section(block: Mapping[str, object], at: str) -> Problems:
    if "text" not in block and "fields" not in block:
        return [f"missing required field: text or fields [json-pointer:{at}]"]
    problems = _text(block["text"], 3000, f"{at}/text") if "text" in block else []
    if "fields" in block:
        problems += check_list(block["fields"], 10, f"{at}/fields", lambda entry, place: _text(entry, 2000, place))
    return problems + (_element(block["accessory"], f"{at}/accessory") if "accessory" in block else [])


@checks("context")
def _context(block: Mapping[str, object], at: str) -> Problems:
    def check(entry: object, place: str) -> Problems:
        if isinstance(entry, Mapping) and entry.get("type") == "image":
            return _image(entry, place)
        return _text(entry, 3000, place)

    return check_list(block.get("elements"), 10, f"{at}/elements", check)


@checks("actions")
def _actions(block: Mapping[str, object], at: str) -> Problems:
    elements = block.get("elements")
    problems = check_list(elements, 25, f"{at}/elements", _element)
    return problems + (_duplicates(elements, "action_id", f"{at}/elements") if isinstance(elements, list) else [])


def _element(value: object, at: str) -> Problems:
    if not isinstance(value, Mapping):
        return [f"must be an object [json-pointer:{at}]"]
    if value.get("type") == "image":
        return _image(value, at)
    if value.get("type") == "overflow":
        problems = check_properties(value, ("type", "action_id", "options", "confirm"), at)
        problems += check_string(value.get("action_id", ""), 255, f"{at}/action_id")
        return problems + check_list(value.get("options"), 5, f"{at}/options", _option, least=2)
    if value.get("type") != "button":
        # Other menus and pickers are not checked.
        return []
    problems = check_properties(value, BUTTON_PROPERTIES, at)
    problems += _text(value.get("text"), 75, f"{at}/text", ("plain_text",))
    for name, most in (("url", 3000), ("value", 2000), ("action_id", 255)):
        problems += check_string(value[name], most, f"{at}/{name}") if name in value else []
    if value.get("style") not in (None, "primary", "danger"):
        problems.append(f"must be a valid enum value [json-pointer:{at}/style]")
    return problems


def _option(value: object, at: str) -> Problems:
    # https://docs.slack.dev/reference/block-kit/composition-objects/option-object
    if not isinstance(value, Mapping):
        return [f"must be an object [json-pointer:{at}]"]
    problems = check_properties(value, ("text", "value", "description", "url"), at)
    problems += _text(value.get("text"), 75, f"{at}/text", ("plain_text",))
    problems += check_string(value.get("value"), 150, f"{at}/value", least=1)
    return problems + (check_string(value["url"], 3000, f"{at}/url") if "url" in value else [])


@checks("image")
def _image(block: Mapping[str, object], at: str) -> Problems:
    problems = check_string(block.get("alt_text"), 2000, f"{at}/alt_text")
    if "image_url" in block:
        problems += check_string(block["image_url"], 3000, f"{at}/image_url", least=1)
    elif not isinstance(block.get("slack_file"), Mapping):
        problems.append(f"missing required field: image_url or slack_file [json-pointer:{at}]")
    return problems + (_text(block["title"], 2000, f"{at}/title", ("plain_text",)) if "title" in block else [])


@checks("markdown")
def _markdown(block: Mapping[str, object], at: str) -> Problems:
    return check_string(block.get("text"), 12000, f"{at}/text", least=1)


@checks("divider", "rich_text", "video")
def _unchecked(_block: Mapping[str, object], _at: str) -> Problems:
    return []
