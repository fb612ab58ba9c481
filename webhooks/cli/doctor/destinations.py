"""Ask the notifiers' services whether the destinations of the rules exist. No message is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from notifiers import NotifierError, Notifiers, parse_destination
from webhooks.cli.doctor.results import CheckResult, failed, ok, warning
from webhooks.destinations import FROM_TABLEAU, resolve_default

ADVICE = {
    False: "Correct the rule or the variable, or create the channel or user.",
    None: "Add the scope to the Slack app and install it again, or send a test: flask notify test DESTINATION",
}


def check_destinations(destinations: Iterable[str], notifiers: Notifiers) -> Iterator[CheckResult]:
    """Yield a result for each destination that its service can be asked about; those of other services are left out.

    A destination whose notifier is not configured is left out as well: `delivery_warnings` reports it.
    """
    # The addresses of each kind, with the words for them.
    addresses: dict[str, dict[str, str]] = {}
    # Whose address it is, only an event decides.
    for text in sorted(set(destinations) - set(FROM_TABLEAU)):
        destination = parse_destination(resolve_default(text, notifiers.with_default_address))
        kind, config = destination.kind, notifiers.configs[destination.kind]
        address = destination.to or config.default_address
        if address and kind in notifiers.configured:
            source = "" if destination.to else f" ({config.address_variable})"
            addresses.setdefault(kind, {}).setdefault(address, f"{kind}:{address}{source}")
    for kind, places in addresses.items():
        try:
            for found in notifiers[kind].check_addresses(list(places)):
                text = f"{places[found.address]}: {found.text}"
                if found.valid:
                    yield ok("destination", text)
                elif found.valid is None:
                    yield warning("destination", text, ADVICE[None] if "scope" in found.text else "")
                else:
                    yield failed("destination", text, ADVICE[False])
        except (NotifierError, ValueError) as error:
            yield failed("destination", f"{kind}: {error}", f"Check its variables, then run flask notify test {kind}.")
