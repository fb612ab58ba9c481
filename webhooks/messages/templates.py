"""A rule's own `title` and `text`: placeholders such as `{name}`, or Jinja2 with limits. Pure."""

from __future__ import annotations

import logging
import re
import string
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from webhooks.spelling import hint
from webhooks.text import cut

if TYPE_CHECKING:
    from jinja2 import Template as JinjaTemplate
    from jinja2.sandbox import ImmutableSandboxedEnvironment

log = logging.getLogger(__name__)

# The names that a text may have in braces.
PLACEHOLDERS = {
    "name": "the name of the workbook, data source, flow, view, user or site, or a subscription's subject",
    "event_type": "Tableau's name of the event type",
    "project": "the project's path, such as Finance/Reports",
    "owner": "the owner",
    "reason": "why a refresh, flow run or subscription failed",
    "link": "the address in Tableau",
    "created_at": "the time of the event",
}
# What Jinja2 templates know beyond these. Times are texts in TIMEZONE; what is unknown is empty, or 0 for a number.
FIELDS: Mapping[str, Mapping[str, object]] = {
    "event": {"id": 0, "type": "", "headline": "", "created_at": "", "advice": "", "test": False},
    "resource": {
        **dict.fromkeys(("name", "kind", "luid", "project", "owner", "link", "site_luid"), ""),
        "tags": (),
    },
    "incident": {
        **dict.fromkeys(("kind", "state", "opened_at", "closed_at", "duration", "quiet_by", "next_run_at"), ""),
        **dict.fromkeys(("number", "failures", "in_a_row", "strikes", "downstream"), 0),
    },
    "run": dict.fromkeys(("started_at", "ended_at", "outcome", "reason", "reason_class", "job_luid"), ""),
}
# Characters of a template, of each value in it, and of what it makes.
MAX_TEMPLATE, MAX_OUTPUT = 5000, 10_000
# Loops within loops; a list has at most as many items as content has tags.
MAX_LOOPS = 2
# Seconds for one text. Without calls, assignments and multiplications no template needs a thousandth of it.
MAX_SECONDS = 1.0
JINJA = ("{{", "{%", "{#")
# What a template may consist of: nothing that calls, assigns, multiplies or loads.
ALLOWED = frozenset(
    {"Template", "Output", "TemplateData", "Name", "Const", "Getattr", "Getitem", "Slice", "Filter", "Test"}
    | {"If", "For", "CondExpr", "Compare", "Operand", "And", "Or", "Not", "Concat", "Add", "Sub", "Neg", "Pos"}
    | {"List", "Tuple", "Keyword"}
)
FILTERS = frozenset(
    {"abs", "capitalize", "count", "d", "default", "first", "float", "int", "join", "last", "length", "list", "lower"}
    | {"replace", "reverse", "round", "slug", "sort", "string", "title", "trim", "truncate", "unique", "upper"}
)
# A name in double braces beside placeholders in single ones, where it would be shown as it is.
MIXED = re.compile(rf"\{{\{{\s*(?:{'|'.join((*PLACEHOLDERS, *FIELDS))})\b[^{{}}]*\}}\}}(?!\}})")


class TemplateFailed(ValueError):
    """A template that is valid cannot be used for these values."""


def is_jinja(text: str) -> bool:
    """Return whether a text is a template of Jinja2.

    With a placeholder in single braces it is not: there, double braces are literal ones.
    """
    if not any(mark in text for mark in JINJA):
        return False
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError:
        return True
    return not any(name in PLACEHOLDERS for name in names) or "{%" in text


def check_template(text: str) -> str:
    """Return the text if it is valid and knows all its names. Raises ValueError with a suggestion."""
    if is_jinja(text):
        _compile(text)
        render(text, {**dict.fromkeys(PLACEHOLDERS, "x"), **FIELDS, "resource": {**FIELDS["resource"], "tags": ("x",)}})
        return text
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ and }}}} for literal braces") from None
    if mixed := MIXED.search(text):
        raise ValueError(f"{mixed[0]} is for texts without placeholders in single braces; write one form or the other")
    for _, name, form, conversion in fields:
        if name is not None and name not in PLACEHOLDERS:
            raise ValueError(f"unknown placeholder {{{name}}}; {hint(name, PLACEHOLDERS)}")
        if form or conversion:
            raise ValueError(f"{{{name}}} does not accept a format or conversion")
    return text


Template = Annotated[str, AfterValidator(check_template)]


def render(text: str, values: Mapping[str, Any]) -> str:
    """Return the text with the values filled in. Raises TemplateFailed."""
    if not is_jinja(text):
        return text.format_map(values)
    from jinja2 import TemplateError  # noqa: PLC0415 - few rules need it

    deadline, parts, length = time.monotonic() + MAX_SECONDS, [], 0
    try:
        for part in _compile(text).generate({name: _cut(value) for name, value in values.items()}):
            parts.append(part)
            length += len(part)
            if length > MAX_OUTPUT:
                raise TemplateFailed(f"the text would have more than {MAX_OUTPUT} characters")
            if time.monotonic() > deadline:
                raise TemplateFailed(f"it takes longer than {MAX_SECONDS:g} s")
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        if isinstance(error, TemplateFailed):
            raise
        raise TemplateFailed(str(error)) from error
    return "".join(parts).strip()


def render_or_standard(key: str, text: str, values: Mapping[str, Any], standard: str) -> tuple[str, str]:
    """Return a rule's own text with the values, or the standard one and a sentence on why."""
    if not text:
        return standard, ""
    try:
        return render(text, values), ""
    except (TemplateFailed, ValueError, LookupError) as error:
        log.warning("Template failed, using the standard %s: %s", key, error)
        return standard, f"the rule's {key} could not be used: {cut(str(error), 200)}"


def _cut(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _cut(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(one) for one in value[:100]]
    return cut(value, MAX_OUTPUT) if isinstance(value, str) else value


@lru_cache(maxsize=256)
def _compile(text: str) -> JinjaTemplate:
    """Return the compiled template. Raises ValueError if it is invalid, or uses what is not allowed."""
    from jinja2 import TemplateSyntaxError, nodes  # noqa: PLC0415 - as above

    if len(text) > MAX_TEMPLATE:
        raise ValueError(f"has {len(text)} characters; a template has at most {MAX_TEMPLATE}")
    environment = _environment()
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno} of the template: {error.message}") from None
    for node in tree.find_all(nodes.Node):
        name = type(node).__name__
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise ValueError(f"the filter {node.name} is not available; {hint(node.name or '', FILTERS)}")
        if name not in ALLOWED or (isinstance(node, nodes.For) and node.recursive):
            raise ValueError(f"a template cannot contain {_words(name)}")
    _check_loops(tree, 0)
    loop_names = {target.name for loop in tree.find_all(nodes.For) for target in loop.target.find_all(nodes.Name)}
    loop_names |= {loop.target.name for loop in tree.find_all(nodes.For) if isinstance(loop.target, nodes.Name)}
    known = {*PLACEHOLDERS, *FIELDS}
    for one in tree.find_all(nodes.Name):
        if one.name not in known | loop_names | {"loop"}:
            raise ValueError(f"unknown name {one.name}; {hint(one.name, known)}")
    for field in tree.find_all(nodes.Getattr):
        owner = field.node.name if isinstance(field.node, nodes.Name) else ""
        if owner in FIELDS and field.attr not in FIELDS[owner]:
            raise ValueError(f"{owner} has no {field.attr}; {hint(field.attr, FIELDS[owner])}")
    return environment.from_string(text)


def _check_loops(node: Any, depth: int) -> None:
    depth += type(node).__name__ == "For"
    if depth > MAX_LOOPS:
        raise ValueError(f"a template has at most {MAX_LOOPS} loops within one another")
    for child in node.iter_child_nodes():
        _check_loops(child, depth)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined  # noqa: PLC0415 - as above
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - as above

    environment = ImmutableSandboxedEnvironment(
        autoescape=False, undefined=StrictUndefined, finalize=_final, keep_trailing_newline=False, trim_blocks=True
    )
    environment.globals.clear()
    filters = {**environment.filters, "slug": slug}
    environment.filters = {name: _limited(filters[name]) for name in FILTERS}
    return environment


def slug(value: object) -> str:
    """Return the text in lower case with a hyphen for everything that the name of a channel cannot have."""
    return re.sub(r"[^\w-]+", "-", str(value).lower()).strip("-")


def names_of(text: str) -> set[str]:
    """Return the names that a valid template of Jinja2 uses, without those of its loops."""
    from jinja2 import nodes  # noqa: PLC0415 - as above

    used = {one.name for one in _environment().parse(text).find_all(nodes.Name) if one.ctx == "load"}
    return used & {*PLACEHOLDERS, *FIELDS}


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter with a limit on the length of texts that it makes."""
    from functools import update_wrapper  # noqa: PLC0415 - as above

    def limited(*arguments: Any, **options: Any) -> Any:
        made = function(*arguments, **options)
        if isinstance(made, str) and len(made) > MAX_OUTPUT:
            raise TemplateFailed(f"a text would have more than {MAX_OUTPUT} characters")
        return made

    return update_wrapper(limited, function)


def _final(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else value


def _words(node: str) -> str:
    words = {"Call": "calls", "Assign": "set", "Mul": "*", "Pow": "**", "Mod": "%", "Div": "/"}
    return words.get(node, node.lower())
