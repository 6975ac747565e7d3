"""One line for what is wrong with a config: the key, the complaint, what is allowed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gradval.study.fields import listed, wrong_type


class ConfigError(ValueError):
    """The config is wrong; the message is one line that names the key and what is allowed."""


def explain(error: ValidationError, config: Any) -> str:
    """Explain the first thing that is wrong with a config, in one line for its author."""
    # A key that is not known often is the one that is missing, with a slip in it.
    first = min(error.errors(include_url=False), key=lambda e: "unknown key" not in e["msg"])
    path = _path(first["loc"], config)
    if first["type"] == "union_tag_invalid":
        path.append(first["ctx"]["discriminator"].strip("'"))
    return f"{'.'.join(path) or 'top level'}: {_reason(first)}"


def _path(loc: Sequence[int | str], config: Any) -> list[str]:
    """The keys that lead to an error.

    Pydantic also names the parts of unions, keys as such, and the key that is missing: what the
    config does not hold is left out.
    """
    path: list[str] = []
    node = config
    for part in loc:
        if isinstance(node, list):
            path.append(str(part))
        elif isinstance(node, Mapping) and part in node:
            path.append(str(next(key for key in node if key == part)))  # True, not 1
        else:
            continue
        node = node[part]
    return path


def _reason(error: ErrorDetails) -> str:
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return f"the key {error['loc'][-1]!r} is missing"
        case "union_tag_not_found":
            return f"the key {context['discriminator']} is missing"
        case "union_tag_invalid":
            allowed = listed(context["expected_tags"].replace("'", "").split(", "))
            return f"{context['tag']!r} is not allowed; use one of {allowed}"
        case "literal_error":
            allowed = context["expected"].replace("'", "").replace(" or ", ", ")
            return f"{value!r} is not allowed; use one of {listed(allowed.split(', '))}"
        case "list_type":
            return wrong_type(value, "a list")
        case "dict_type" | "model_attributes_type":
            return wrong_type(value, "a block of keys")
        case "greater_than":
            return f"must be above {context['gt']:g}, but is {value!r}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}, but is {value!r}"
        case "less_than":
            return f"must be below {context['lt']:g}, but is {value!r}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}, but is {value!r}"
        case "multiple_of":
            return f"must be a multiple of {context['multiple_of']:g}, but is {value!r}"
        case "too_short":
            return f"needs at least {context['min_length']} entr{_ies(context['min_length'])}"
        case "too_long":
            return f"has room for {context['max_length']} entr{_ies(context['max_length'])}"
        case _:
            return error["msg"]


def _ies(count: int) -> str:
    return "y" if count == 1 else "ies"


def check_repeated_keys(path: str | Path) -> None:
    """Refuse a file in which a key of a block is given twice, of which YAML keeps the last.

    Raises:
        ConfigError: one line that names file, key and both lines.
    """
    text = Path(path).read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    root = yaml.compose(text, Loader=loader)
    pending: list[tuple[tuple[str, ...], yaml.Node]] = [((), root)] if root else []
    while pending:
        keys, node = pending.pop()
        if isinstance(node, yaml.SequenceNode):
            pending += [((*keys, str(i)), item) for i, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            here, line = (*keys, str(key.value)), key.start_mark.line + 1
            if key.value in lines:
                raise ConfigError(
                    f"{path}: {'.'.join(here)}: given twice, in lines {lines[key.value]} and "
                    f"{line}; YAML would keep the second alone"
                )
            lines[str(key.value)] = line
            pending.append((here, value))
