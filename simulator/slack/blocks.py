"""Checks blocks the way Slack does before it shows them. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Callable, Mapping

Problems = list[str]
MOST_BLOCKS, MOST_CHARACTERS = 50, 13200
TOO_LONG = "msg_blocks_too_long"


def check(blocks: object) -> Problems:
    """What is wrong with a list of blocks, in Slack's words with the place; empty when nothing is."""
    if not isinstance(blocks, list):
        return ["must be an array [json-pointer:/blocks]"]
    problems = [f"no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]"] if len(blocks) > MOST_BLOCKS else []
    for index, block in enumerate(blocks):
        problems += _block(block, f"/blocks/{index}")
    return problems


def characters(value: object) -> int:
    """How many characters the texts of blocks have together."""
    if isinstance(value, Mapping):
        own = len(str(value["text"])) if isinstance(value.get("text"), str) else 0
        return own + sum(characters(entry) for entry in value.values() if not isinstance(entry, str))
    return sum(map(characters, value)) if isinstance(value, list) else 0


def _block(block: object, at: str) -> Problems:
    if not isinstance(block, Mapping):
        return [f"must be an object [json-pointer:{at}]"]
    checker = CHECKS.get(str(block.get("type")))
    if checker is None:
        return [f"unsupported type: {block.get('type')} [json-pointer:{at}/type]"]
    return checker(block, at) + _short(block.get("block_id", ""), 255, f"{at}/block_id")


def _short(value: object, most: int, at: str, *, least: int = 0) -> Problems:
    if not isinstance(value, str):
        return [f"must be a string [json-pointer:{at}]"]
    if len(value) > most:
        return [f"must be less than {most + 1} characters [json-pointer:{at}]"]
    return [f"must be more than {least - 1} characters [json-pointer:{at}]"] if len(value) < least else []


def _text(value: object, most: int, at: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Problems:
    if not isinstance(value, Mapping):
        return [f"missing required field: text [json-pointer:{at}]"]
    problems = [] if value.get("type") in kinds else [f"unsupported type: {value.get('type')} [json-pointer:{at}/type]"]
    return problems + _short(value.get("text"), most, f"{at}/text", least=1)


def _header(block: Mapping[str, object], at: str) -> Problems:
    return _text(block.get("text"), 150, f"{at}/text", ("plain_text",))


def _section(block: Mapping[str, object], at: str) -> Problems:
    if "text" not in block and "fields" not in block:
        return [f"missing required field: text or fields [json-pointer:{at}]"]
    problems = _text(block["text"], 3000, f"{at}/text") if "text" in block else []
    if "fields" in block:
        problems += _many(block["fields"], 10, f"{at}/fields", lambda entry, place: _text(entry, 2000, place))
    return problems + (_element(block["accessory"], f"{at}/accessory") if "accessory" in block else [])


def _many(values: object, most: int, at: str, each: Callable[[object, str], Problems]) -> Problems:
    if not isinstance(values, list) or not values:
        return [f"must be a non-empty array [json-pointer:{at}]"]
    problems = [f"no more than {most} items allowed [json-pointer:{at}]"] if len(values) > most else []
    return problems + [problem for index, entry in enumerate(values) for problem in each(entry, f"{at}/{index}")]


def _context(block: Mapping[str, object], at: str) -> Problems:
    def each(entry: object, place: str) -> Problems:
        if isinstance(entry, Mapping) and entry.get("type") == "image":
            return _image(entry, place)
        return _text(entry, 3000, place)

    return _many(block.get("elements"), 10, f"{at}/elements", each)


def _actions(block: Mapping[str, object], at: str) -> Problems:
    return _many(block.get("elements"), 25, f"{at}/elements", _element)


def _element(value: object, at: str) -> Problems:
    if not isinstance(value, Mapping):
        return [f"must be an object [json-pointer:{at}]"]
    if value.get("type") == "image":
        return _image(value, at)
    if value.get("type") != "button":
        return []  # menus and pickers exist; nobody here sends them
    problems = _text(value.get("text"), 75, f"{at}/text", ("plain_text",))
    for name, most in (("url", 3000), ("value", 2000), ("action_id", 255)):
        problems += _short(value[name], most, f"{at}/{name}") if name in value else []
    if value.get("style") not in (None, "primary", "danger"):
        problems.append(f"must be a valid enum value [json-pointer:{at}/style]")
    return problems


def _image(block: Mapping[str, object], at: str) -> Problems:
    problems = _short(block.get("alt_text"), 2000, f"{at}/alt_text")
    if "image_url" in block:
        problems += _short(block["image_url"], 3000, f"{at}/image_url", least=1)
    elif not isinstance(block.get("slack_file"), Mapping):
        problems.append(f"missing required field: image_url or slack_file [json-pointer:{at}]")
    return problems + (_text(block["title"], 2000, f"{at}/title", ("plain_text",)) if "title" in block else [])


def _markdown(block: Mapping[str, object], at: str) -> Problems:
    return _short(block.get("text"), 12000, f"{at}/text", least=1)


def _fine(_block: Mapping[str, object], _at: str) -> Problems:
    return []


CHECKS: dict[str, Callable[[Mapping[str, object], str], Problems]] = {
    "header": _header,
    "section": _section,
    "divider": _fine,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "markdown": _markdown,
    "rich_text": _fine,
    "video": _fine,
    "table": _fine,
}
