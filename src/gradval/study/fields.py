"""The kinds of values that a config holds, and what YAML and command lines make of them.

YAML reads `1e-4` as text, `no` as a truth value and `2024-01-01` as a date; `--config` of Snakemake
passes every number within a block as text. A number that arrives as text is taken as the number
that it is. Text that arrives as something else is refused, with the way to write it.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from gradval.study.names import NAME_PATTERN, NON_PRIVATE, PRIVACY_PATTERN, epsilon_of

T = TypeVar("T")
TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def type_of(value: Any) -> str:
    """What a value is, in the words of a config's author."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case date():
            return "a date"
        case list():
            return "a list"
        case _:
            return "a block of keys"


def wrong_type(value: Any, must: str) -> str:
    """The complaint about a value of the wrong type."""
    return f"{'it' if value is None else repr(value)} is {type_of(value)}, but must be {must}"


def listed(items: Iterable[Any]) -> str:
    """Items as "a, b or c"."""
    *most, last = map(str, items)
    return f"{', '.join(most)} or {last}" if most else last


def nearest(name: Any, known: Iterable[str]) -> str:
    """A question for the known name that is most like `name`; empty if none is."""
    found = difflib.get_close_matches(str(name), list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ";"


class Block(BaseModel):
    """A block of keys, each of which is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, given: Any) -> Any:
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            hint = "; write {} for an empty one" if given is None else ""
            raise ValueError(wrong_type(given, f"a block of keys{hint}"))
        allowed = sorted(field.alias or name for name, field in cls.model_fields.items())
        for key in given:
            if key not in allowed:
                raise ValueError(
                    f"unknown key {key!r}{nearest(key, allowed)} allowed are {listed(allowed)}"
                )
        return given


def as_number(value: Any) -> int | float:
    """A number, also one that is written as text; ValueError otherwise."""
    if isinstance(value, str):
        for parse in (int, float):
            try:
                value = parse(value)
                break
            except ValueError:
                continue
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(wrong_type(value, "a number"))
    if not math.isfinite(value):
        raise ValueError(f"must be finite, but is {value}")
    return value


def as_whole(value: Any) -> int:
    """A whole number, also one that is written as text; ValueError otherwise."""
    try:
        number = as_number(value)
    except ValueError:
        raise ValueError(wrong_type(value, "a whole number")) from None
    if number != int(number):
        raise ValueError(wrong_type(number, "a whole number"))
    return int(number)


def as_truth(value: Any) -> bool:
    truth = TRUTH.get(value.lower(), value) if isinstance(value, str) else value
    if not isinstance(truth, bool):
        raise ValueError(wrong_type(value, "true or false"))
    return truth


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    complaint = wrong_type(value, "text")
    match value:
        case bool():
            words = listed(repr(word) for word, truth in TRUTH.items() if truth is value)
            hint = f"; YAML reads yes, no, on and off so; write the word in quotes: {words}"
        case int() | float() | date():
            hint = f"; write it in quotes: {str(value)!r}"
        case _:
            hint = ""
    raise ValueError(complaint + hint)


def _matching(pattern: str, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} is not allowed; use {what}")
        return value

    return AfterValidator(check)


def _keep_the_number(value: Any, validate: Callable[[Any], float]) -> int | float:
    """Check as a float, but leave a whole number as it is written: 12, not 12.0."""
    number = as_number(value)
    validate(float(number))
    return number


def _each_once(values: list[T]) -> list[T]:
    if len(set(values)) < len(values):
        raise ValueError("lists something twice")
    return values


def _check_privacy(value: str) -> str:
    epsilon_of(value)
    return value


# --- Text ---------------------------------------------------------------------------------------

Text = Annotated[str, BeforeValidator(_as_text)]
Name = Annotated[
    Text,
    _matching(NAME_PATTERN, "a name of letters, digits, '-', '_' and '.'"),
    WithJsonSchema({"type": "string", "format": "name", "pattern": f"^{NAME_PATTERN}$"}),
]
Checksum = Annotated[
    Text,
    _matching("[0-9a-f]{64}", "a SHA-256 of 64 hexadecimal digits"),
    WithJsonSchema({"type": "string", "format": "SHA-256", "pattern": "^[0-9a-f]{64}$"}),
]
Privacy = Annotated[
    Text,
    AfterValidator(_check_privacy),
    WithJsonSchema(
        {"type": "string", "format": "privacy level", "pattern": f"^({PRIVACY_PATTERN})$"}
    ),
]

# --- Numbers and truth --------------------------------------------------------------------------

KEEP = WrapValidator(_keep_the_number)
Number = Annotated[float, KEEP]
Positive = Annotated[float, Field(gt=0), KEEP]
NotNegative = Annotated[float, Field(ge=0), KEEP]
Fraction = Annotated[float, Field(gt=0, lt=1), KEEP]
BelowOne = Annotated[float, Field(ge=0, lt=1), KEEP]
Whole = Annotated[int, BeforeValidator(as_whole)]
Count = Annotated[int, Field(ge=1), BeforeValidator(as_whole)]
Seed = Annotated[int, Field(ge=0), BeforeValidator(as_whole)]
Flag = Annotated[bool, BeforeValidator(as_truth)]

# --- Lists --------------------------------------------------------------------------------------

Distinct = Annotated[
    list[T], AfterValidator(_each_once), Field(json_schema_extra={"uniqueItems": True})
]


def _is_block_name(value: str) -> str:
    if value in ("default", "private", NON_PRIVATE):
        return value
    try:
        epsilon_of(value)
    except ValueError:
        raise ValueError(
            f"unknown key {value!r}; allowed are default, nonprivate, private and privacy levels "
            "such as eps4"
        ) from None
    return value


BlockName = Annotated[
    Text,
    AfterValidator(_is_block_name),
    WithJsonSchema(
        {
            "type": "string",
            "format": "block",
            "pattern": f"^(default|private|{PRIVACY_PATTERN})$",
        }
    ),
]
