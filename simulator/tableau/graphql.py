"""Parse GraphQL queries: fields, arguments, aliases, variables, nesting, fragments. Pure; no directives.

https://spec.graphql.org/October2021/
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r"""[\s,﻿]+|\#[^\n]*                     # ignored: white space, commas, comments
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<name>[_A-Za-z]\w*)
    |(?P<mark>\.\.\.|[{}()\[\]:=!$@])""",
    re.VERBOSE,
)
MAX_DEPTH = 20


class Malformed(ValueError):
    """The query cannot be parsed."""


@dataclass
class Field:
    """One requested field with its own fields; `on` is the type condition of its fragment, empty without one."""

    name: str
    alias: str
    arguments: dict[str, Any] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)
    on: str = ""


def parse(query: str, variables: dict[str, Any]) -> list[Field]:
    """Return the top-level fields of a query, with the fields of its fragments in place. Raises Malformed."""
    parser = _Parser(_tokens(query), variables)
    parser.skip_fragments()
    if parser.peek() != "{":
        if (word := parser.take()) != "query":
            raise Malformed(f"only queries are supported, not {word!r}")
        parser.skip_name_and_read_variables()
    fields = parser.selection(0)
    parser.skip_fragments()
    if parser.peek() is not None:
        raise Malformed(f"unexpected {parser.peek()!r} after the query")
    return fields


def _tokens(query: str) -> list[str]:
    tokens, position = [], 0
    while position < len(query):
        match = TOKEN.match(query, position)
        if match is None:
            raise Malformed(f"unexpected {query[position]!r} at {position}")
        if match.lastgroup:
            tokens.append(match[0])
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], variables: dict[str, Any]) -> None:
        self._tokens, self._position = tokens, 0
        self._variables = dict(variables)
        # The positions behind the names of the fragments, which may be defined after their use.
        self._fragments = {
            name: position + 2
            for position, (keyword, name) in enumerate(itertools.pairwise(tokens))
            if keyword == "fragment" and (position == 0 or tokens[position - 1] == "}")
        }

    def peek(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if token is None or (expected is not None and token != expected):
            raise Malformed(f"expected {expected or 'more'}, not {token!r}")
        self._position += 1
        return token

    def skip_name_and_read_variables(self) -> None:
        """Skip the name of the query and read its variables with their defaults."""
        if self.peek() not in {"{", "("}:
            self._name()
        if self.peek() != "(":
            return
        self.take()
        while self.peek() != ")":
            self.take("$")
            name = self._name()
            self.take(":")
            # The type; values are not checked against it.
            while self.peek() not in {"$", ")", "=", None}:
                self.take()
            if self.peek() == "=":
                self.take()
                self._variables.setdefault(name, self.value())
        self.take()

    def skip_fragments(self) -> None:
        """Skip the definitions of fragments."""
        while self.peek() == "fragment":
            while self.take() != "{":
                pass
            depth = 1
            while depth:
                depth += {"{": 1, "}": -1}.get(self.take(), 0)

    def _spread(self, depth: int) -> list[Field]:
        """Return the fields of an inline or named fragment."""
        if self.peek() == "on":
            self.take()
            return self.selection(depth + 1, on=self._name())
        name = self._name()
        if name not in self._fragments:
            raise Malformed(f"unknown fragment {name!r}")
        back, self._position = self._position, self._fragments[name]
        self.take("on")
        fields = self.selection(depth + 1, on=self._name())
        self._position = back
        return fields

    def selection(self, depth: int, on: str = "") -> list[Field]:
        """Return the fields and fragments between braces; `on` is the type condition of a fragment."""
        if depth > MAX_DEPTH:
            raise Malformed("the query is nested too deeply")
        self.take("{")
        fields: list[Field] = []
        while self.peek() != "}":
            if self.peek() == "...":
                self.take()
                fields += self._spread(depth)
                continue
            name = alias = self._name()
            if self.peek() == ":":
                self.take()
                name = self._name()
            requested = Field(name, alias, on=on)
            if self.peek() == "(":
                self.take()
                requested.arguments = self._pairs(")")
            if self.peek() == "{":
                requested.fields = self.selection(depth + 1)
            fields.append(requested)
        self.take()
        return fields

    def _name(self) -> str:
        token = self.take()
        if not token.isidentifier():
            raise Malformed(f"expected a name, not {token!r}")
        return token

    def _pairs(self, end: str) -> dict[str, Any]:
        pairs = {}
        while self.peek() != end:
            name = self._name()
            self.take(":")
            pairs[name] = self.value()
        self.take()
        return pairs

    def value(self) -> Any:
        """Return a literal, or the value of a variable."""
        token = self.take()
        if token == "$":
            return self._variables.get(self._name())
        if token == "{":
            return self._pairs("}")
        if token == "[":
            values = []
            while self.peek() != "]":
                values.append(self.value())
            self.take()
            return values
        if token.startswith('"'):
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return float(token) if "." in token else int(token)
        return {"true": True, "false": False, "null": None}.get(token, token)
