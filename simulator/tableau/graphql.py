"""Reads GraphQL queries: fields, arguments, aliases, variables, nesting. Pure; no fragments, no directives.

https://spec.graphql.org/October2021/
"""

import re
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r"""[\s,﻿]+|\#[^\n]*                     # what means nothing
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<name>[_A-Za-z]\w*)
    |(?P<mark>\.\.\.|[{}()\[\]:=!$@])""",
    re.VERBOSE,
)
DEEPEST = 20


class Malformed(ValueError):
    """The query cannot be read; the text says where."""


@dataclass
class Field:
    """One field that is asked for, with what is asked for inside it."""

    name: str
    alias: str
    arguments: dict[str, Any] = field(default_factory=dict)
    fields: "list[Field]" = field(default_factory=list)


def parse(query: str, variables: dict[str, Any]) -> list[Field]:
    """The fields a query asks for at its top. Raises Malformed."""
    reader = _Reader(_tokens(query), variables)
    if reader.peek() != "{":
        if (word := reader.take()) != "query":
            raise Malformed(f"only queries are answered, not {word!r}")
        reader.head()
    fields = reader.selection(0)
    if reader.peek() is not None:
        raise Malformed(f"unexpected {reader.peek()!r} after the query")
    return fields


def _tokens(query: str) -> list[str]:
    tokens, place = [], 0
    while place < len(query):
        found = TOKEN.match(query, place)
        if found is None:
            raise Malformed(f"unexpected {query[place]!r} at {place}")
        if found.lastgroup:
            tokens.append(found[0])
        place = found.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[str], variables: dict[str, Any]) -> None:
        self._tokens, self._place = tokens, 0
        self._variables = dict(variables)

    def peek(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def take(self, wanted: str | None = None) -> str:
        token = self.peek()
        if token is None or (wanted is not None and token != wanted):
            raise Malformed(f"expected {wanted or 'more'}, not {token!r}")
        self._place += 1
        return token

    def head(self) -> None:
        """The name of the query and its variables with their defaults."""
        if self.peek() not in {"{", "("}:
            self._name()
        if self.peek() == "(":
            self.take()
            while self.peek() != ")":
                self._variable()
            self.take()

    def _variable(self) -> None:
        self.take("$")
        name = self._name()
        self.take(":")
        while self.peek() not in {"$", ")", "=", None}:  # the type; values are not checked against it
            self.take()
        if self.peek() == "=":
            self.take()
            self._variables.setdefault(name, self.value())

    def selection(self, depth: int) -> list[Field]:
        """What stands between braces."""
        if depth > DEEPEST:
            raise Malformed("the query is nested too deeply")
        self.take("{")
        fields = []
        while self.peek() != "}":
            fields.append(self._field(depth))
        self.take()
        return fields

    def _field(self, depth: int) -> Field:
        name = alias = self._name()
        if self.peek() == ":":
            self.take()
            name = self._name()
        made = Field(name, alias)
        if self.peek() == "(":
            self.take()
            made.arguments = self._pairs(")")
        if self.peek() == "{":
            made.fields = self.selection(depth + 1)
        return made

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
        """A literal, or what a variable stands for."""
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
