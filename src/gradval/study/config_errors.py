"""One line for a violation of a JSON schema: the key, what is wrong, what is allowed."""

import re
from collections.abc import Iterable
from typing import Any

from jsonschema.exceptions import ValidationError


def explain(error: ValidationError) -> str:
    """Explain a validation error of a config in one line for its author."""
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    return f"{where}: {_reason(error)}"


def _reason(error: ValidationError) -> str:
    value, rule = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            allowed = error.schema.get("properties", {})
            unknown = [key for key in value if key not in allowed]
            return f"unknown key {unknown[0]!r}; allowed are {_list(sorted(allowed))}"
        case "dependentRequired":
            key, partner = _missing_partner(value, rule)
            return f"with {key!r} the key {partner!r} is needed too"
        case "required":
            missing = [key for key in rule if key not in value]
            return f"the key {missing[0]!r} is missing"
        case "enum":
            return f"{value!r} is not allowed; use one of {_list(rule)}"
        case "type":
            must = f"must be {_list(_types(rule))}{_hint(value, rule)}"
            return f"{value!r} is {_type_of(value)}, but {must}"
        case "pattern":
            return f"{value!r} is not allowed; use {error.schema['description']}"
        case "minimum":
            return f"must be at least {rule}, but is {value!r}"
        case "exclusiveMinimum":
            return f"must be above {rule}, but is {value!r}"
        case "exclusiveMaximum":
            return f"must be below {rule}, but is {value!r}"
        case "minItems" | "minProperties":
            return f"needs at least {rule} entry"
        case "uniqueItems":
            return "lists something twice"
        case _:
            return str(error.message)


def _missing_partner(value: dict[str, Any], rule: dict[str, list[str]]) -> tuple[str, str]:
    return next(
        (k, n) for k, needed in rule.items() if k in value for n in needed if n not in value
    )


def _types(rule: str | list[str]) -> list[str]:
    names = {
        "object": "a block of keys",
        "array": "a list",
        "null": "null",
        "boolean": "true or false",
        "integer": "a whole number",
        "string": "text",
    }
    return [names.get(name, f"a {name}") for name in ([rule] if isinstance(rule, str) else rule)]


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a block of keys"


def _hint(value: Any, rule: str | list[str]) -> str:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", value):
        mantissa, exponent = re.split("[eE]", value)
        return f"; YAML reads {value} as text, write {mantissa}.0e{exponent}"
    if isinstance(value, int) and not isinstance(value, bool) and "string" in rule:
        return f"; write it in quotes: {str(value)!r}"
    return ""


def _list(items: Iterable[Any]) -> str:
    *most, last = map(str, items)
    return f"{', '.join(most)} or {last}" if most else last
