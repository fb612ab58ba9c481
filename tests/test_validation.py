"""Validation errors as sentences: what is wrong, and what is expected."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from webhooks.validation import MAX_SHOWN, describe_toml, describe_values


class Model(BaseModel):
    """One field of each sort."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    number: int = Field(1, ge=1, le=9)
    flag: bool = False
    items: tuple[int, ...] = Field((1,), min_length=1)
    way: Literal["pat", "jwt"] = "pat"

    @field_validator("name")
    @classmethod
    def _no_blank(cls, name: str) -> str:
        if " " in name:
            raise ValueError("has a space in it")
        return name


def invalid(**given: object) -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        Model.model_validate({"name": "a", **given})
    return raised.value


@pytest.mark.parametrize(
    ("given", "in_toml", "plain"),
    [
        ({"name": 7}, "name: 7 should be text in quotes", "name: should be text"),
        ({"number": "3"}, 'number: "3" should be a whole number, without quotes', "number: should be a whole number"),
        ({"number": 0}, "number: 0 should be 1 or more", "number: should be 1 or more"),
        ({"flag": "no"}, 'flag: "no" should be true or false, without quotes', "flag: should be true or false"),
        ({"way": "oauth"}, "way: \"oauth\" should be 'pat' or 'jwt'", "way: should be 'pat' or 'jwt'"),
        ({"items": ()}, "items: [] should name 1 or more", "items: should name 1 or more"),
        ({"name": "a b"}, "name: has a space in it", "name: has a space in it"),
        ({"nmae": 1}, "nmae is not known here; did you mean name?", "nmae is not known"),
    ],
)
def test_sentence_names_the_field_and_what_is_expected(given: dict[str, object], in_toml: str, plain: str) -> None:
    """In a file with the value and how TOML writes it; elsewhere without the value, which may be a secret."""
    error = invalid(**given)
    assert describe_toml(error, Model.model_fields) == (in_toml,)
    assert describe_values(error) == (plain,)


def test_every_error_is_named_at_once() -> None:
    """The message has all errors, not only the first."""
    assert len(describe_values(invalid(number=0, flag="no", way="x"))) == 3


def test_missing_key_comes_with_an_example() -> None:
    """The example is given if the model has one for the key."""
    with pytest.raises(ValidationError) as raised:
        Model.model_validate({})
    assert describe_toml(raised.value, Model.model_fields, {"name": 'name = "A"'}) == (
        'name is missing; for example name = "A"',
    )
    assert describe_toml(raised.value, Model.model_fields) == ("name is missing",)


def test_long_value_is_shortened_and_names_may_be_translated() -> None:
    """An invalid value may be of any length; a variable is known by its name in capitals."""
    (sentence,) = describe_toml(invalid(number="9" * 500), Model.model_fields)
    assert len(sentence) < MAX_SHOWN + 60
    assert describe_values(invalid(number=0), str.upper) == ("NUMBER: should be 1 or more",)
