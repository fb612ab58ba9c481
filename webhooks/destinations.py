"""Destinations of messages: those of the notifiers, and `default`, which the application resolves."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator

from notifiers import KINDS, Notifiers, UnknownKind, parse_destination

DEFAULT = "default"
OWNER, PROJECT_OWNER = "owner", "project_owner"
# What the table [routes] has for the project of the content.
ROUTES = "routes"


@dataclass(frozen=True, slots=True)
class PersonOf:
    """A person whom Tableau names: the kind of notifier that reaches them, and whose owner they are."""

    kind: str
    role: str

    @property
    def words(self) -> str:
        """The role as people write it."""
        return self.role.replace("_", " ")

    def destination(self, address: str) -> str:
        """Return the destination of the person with this e-mail address."""
        return normalize(f"{self.kind}:{address}")


# Destinations that Tableau decides: the owner of the content, and that of its project, by their e-mail address.
FROM_TABLEAU: Mapping[str, PersonOf] = {
    f"{prefix}{role}": PersonOf(kind, role)
    for kind, prefix in (("slack", ""), ("email", "email:"))
    for role in (OWNER, PROJECT_OWNER)
}


def normalize(text: str) -> str:
    """Return the destination in its canonical spelling, so that each destination is notified once.

    Raises ValueError that says what is expected.
    """
    special = ":".join(part.strip() for part in text.split(":", 1))
    if special in {f"slack:{OWNER}", f"slack:{PROJECT_OWNER}"}:
        return special.removeprefix("slack:")
    if special in {DEFAULT, *FROM_TABLEAU}:
        return special
    if special == ROUTES:
        raise ValueError(f"{ROUTES} is for notify in rules and watches; name a channel, for example slack:#bi")
    try:
        return str(parse_destination(text))
    except UnknownKind as error:
        raise ValueError(f"{error}; or {DEFAULT}, {OWNER} or {PROJECT_OWNER}") from None


def resolve_default(text: str, with_default_address: Container[str]) -> str:
    """Return the destination that `default` means: Slack if it has a default channel, else the console.

    Other destinations are returned unchanged. `with_default_address` are the notifiers that need no address.
    """
    if text != DEFAULT:
        return text
    return "slack" if "slack" in with_default_address else "console"


def destinations_of(params: Mapping[str, Any]) -> list[str]:
    """Return the destinations that a notify with these parameters may have: one, or those of its routes."""
    to = str(params.get("to", DEFAULT))
    if to != ROUTES:
        return [to]
    return list(dict.fromkeys(place for _, place in params.get("routes", ()) if place))


def kind_of(text: str, with_default_address: Container[str]) -> str:
    """Return the kind of notifier that a destination needs, also one of which only the event decides the address."""
    if "{{" in text or "{%" in text:
        return text.partition(":")[0].strip()
    if text in FROM_TABLEAU:
        return FROM_TABLEAU[text].kind
    return parse_destination(resolve_default(text, with_default_address)).kind


def delivery_warnings(destinations: Iterable[str], notifiers: Notifiers) -> list[str]:
    """Return a sentence per destination that cannot be notified, or that is not where people expect it."""
    warnings = []
    for text in sorted(set(destinations)):
        if text in FROM_TABLEAU:
            person = FROM_TABLEAU[text]
            if person.kind not in notifiers.configured:
                label = KINDS[person.kind].label
                warnings.append(f"rules send messages to the {person.words}, but {label} is not configured")
            continue
        destination = parse_destination(resolve_default(text, notifiers.with_default_address))
        kind = destination.kind
        if kind not in notifiers.configured:
            warnings.append(f"rules send messages to {kind}, which is not configured")
        elif destination.to is None and kind not in notifiers.with_default_address:
            variable = KINDS[kind].config_class.address_variable
            warnings.append(f"rules send messages to {kind} without an address, but {variable} is not set")
        elif destination.to and (problem := notifiers.configs[kind].address_problem(destination.to)):
            warnings.append(f"rules send messages to {destination}: {problem}")
        elif text == DEFAULT and kind != "slack" and "slack" in notifiers.configured:
            variable = KINDS["slack"].config_class.address_variable
            warnings.append(f"{DEFAULT} means {kind}: SLACK_TOKEN is set, but {variable} is not")
    return list(dict.fromkeys(warnings))


def require_no_owner(to: str) -> str:
    """Return the destination. Raises ValueError if it is a person whom Tableau names for each content."""
    if to in FROM_TABLEAU:
        raise ValueError(f"{to} is for messages about one content; name a channel, for example slack:#bi")
    return to


Destination = Annotated[str, AfterValidator(normalize)]
# One that is the same for all content.
CommonDestination = Annotated[Destination, AfterValidator(require_no_owner)]
