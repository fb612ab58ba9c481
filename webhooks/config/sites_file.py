"""Parse a sites file (sites.toml): its text becomes sites, or all of its errors are reported at once."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from webhooks.config.site import SECRETS, Site
from webhooks.config.text_file import invisible_character, read_secret, read_text
from webhooks.spelling import hint
from webhooks.validation import describe_values

# A secret is in the file itself, in the variable that NAME_env names, or in the file that NAME_file names.
KEYS = (*Site.model_fields, *(f"{name}_{source}" for name in SECRETS for source in ("env", "file")))


@dataclass
class SitesFile:
    """The valid sites of a file, its errors, and every secret that was found, also those of invalid sites."""

    path: Path
    sites: tuple[Site, ...] = ()
    errors: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def message(self) -> str:
        """Return all errors as one text."""
        count = "1 error" if len(self.errors) == 1 else f"{len(self.errors)} errors"
        return "\n  ".join([f"{self.path} has {count}:", *self.errors])


def load(path: Path, environment: Mapping[str, str | None]) -> SitesFile:
    """Return the file at `path`; `environment` holds the variables that `…_env` keys name. Raises nothing."""
    result = SitesFile(path)
    try:
        document = tomllib.loads(read_text(path))
    except OSError as error:
        result.errors.append(f"cannot be read: {error.strerror}")
    except tomllib.TOMLDecodeError as error:
        result.errors.append(f"not TOML: {error}")
    except ValueError as error:
        result.errors.append(str(error))
    else:
        _Parser(result, environment).parse(document)
    return result


class _Parser:
    """One pass over a sites file that continues after an error and collects all of them."""

    def __init__(self, result: SitesFile, environment: Mapping[str, str | None]) -> None:
        self._result, self._environment = result, environment

    def parse(self, document: Mapping[str, Any]) -> None:
        for key in sorted(document.keys() - {"site"}):
            self._error("", f"{key} is not known here; write [[site]]")
        tables = document.get("site", [])
        if not isinstance(tables, list) or not tables or not all(isinstance(table, Mapping) for table in tables):
            self._error("", "write [[site]], with two brackets on each side, above each site")
            return
        sites = [self._site(number, table) for number, table in enumerate(tables, 1)]
        self._result.sites = tuple(site for site in sites if site)
        self._check_distinct()

    def _site(self, number: int, table: Mapping[str, Any]) -> Site | None:
        """Return the site, or None if it has an error."""
        name = table.get("name")
        place = f'site {number} "{name}"' if isinstance(name, str) and name else f"site {number}"
        before = len(self._result.errors)
        for key in sorted(table.keys() - set(KEYS)):
            self._error(place, f"{key} is not known; {hint(key, KEYS)}")
        values = {key: table[key] for key in Site.model_fields if key in table and key not in SECRETS}
        for key, value in values.items():
            if isinstance(value, str) and (problem := invisible_character(value.strip())):
                self._error(place, f"{key} {problem}")
        incomplete = set()
        for name in SECRETS:
            try:
                values[name] = self._secret(name, table)
            except ValueError as error:
                self._error(place, str(error))
                incomplete.add(name)
        try:
            site = Site(**{"name": "", **values})
        except ValidationError as error:
            self._error(place, *describe_values(error))
            return None
        missing = [name for name in site.missing() if name not in incomplete]
        if missing or not site.name:
            names = ", ".join([*(["name"] if not site.name else []), *missing])
            self._error(place, f"needs {names}" + (f" (auth = {site.auth!r})" if missing else ""))
        return site if len(self._result.errors) == before else None

    def _secret(self, name: str, table: Mapping[str, Any]) -> str:
        """Return the secret from the file, a variable or another file; empty if it is given nowhere.

        Raises ValueError without the secret.
        """
        given = [key for key in (name, f"{name}_env", f"{name}_file") if table.get(key) not in (None, "")]
        if not given:
            return ""
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given; one is enough")
        key, value = given[0], table[given[0]]
        if not isinstance(value, str):
            raise ValueError(f"{key} should be text in quotes")  # noqa: TRY004 - one kind of error for all
        value = secret = value.strip()
        if key.endswith("_env"):
            secret = (self._environment.get(value) or "").strip()
            if not secret:
                raise ValueError(f"{key}: the variable {value} is not set")
        if key.endswith("_file"):
            path = self._result.path.parent / Path(value).expanduser()
            try:
                secret = read_secret(path)
            except OSError as error:
                raise ValueError(f"{key}: cannot read {path}: {error.strerror}") from None
            except ValueError as error:
                raise ValueError(f"{key}: the file {path} {error}") from None
        self._result.secrets.append(secret)
        if problem := invisible_character(secret):
            raise ValueError(f"{key}: {problem}")
        return secret

    def _check_distinct(self) -> None:
        """Report sites with the same name, address or token; a sign-in invalidates other sessions of its token."""
        names: dict[tuple[str, str], list[str]] = defaultdict(list)
        for site in self._result.sites:
            names["are named", site.name.casefold()].append(site.name)
            names["are the same site", site.key.casefold()].append(site.name)
            if site.site_luid:
                names["have the same site_luid", site.site_luid].append(site.name)
            if site.auth == "pat":
                token = f"{site.domain}\n{site.pat_name}\n{site.pat_secret.get_secret_value()}"
                problem = "use one token, and each sign-in invalidates the previous one; create a token for each"
                names[problem, token].append(site.name)
        for (problem, _), same in names.items():
            if len(same) > 1:
                several = f"{len(same)} sites {problem} {same[0]}" if problem == "are named" else ""
                self._error("", several or f"{' and '.join(same)} {problem}")

    def _error(self, place: str, *messages: str) -> None:
        self._result.errors += [f"{place}: {message}" if place else message for message in messages]
