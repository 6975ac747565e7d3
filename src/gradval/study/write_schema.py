"""Write the JSON schema of the config and the page of all its keys from the models.

    python -m gradval.study.write_schema          in the checkout

The schema is for editors, which complete and check a config with it; the workflow itself checks
with the models (`gradval.study.config.validate`).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradval.scores.registry import SCORES, options_model
from gradval.study.config import Study

SCHEMA, PAGE = Path("workflow/schemas/config.schema.json"), Path("docs/config.md")
ROOT = Path(__file__).parents[3]
HEADER = """# Every key of the config

Written by `python -m gradval.study.write_schema` from the models in `gradval.study`; do not edit.
`config.yaml` holds the values of the default study. A key without a default must be given. Numbers
may arrive as text, as `--config` passes them. `<name>` is a name of your own.
"""
HEADINGS = ["key", "values", "default", "meaning"]
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true, false",
    "null": "null",
    "any": "anything",
}
LIMITS = {
    "minimum": "at least {:g}",
    "exclusiveMinimum": "above {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "below {:g}",
    "multipleOf": "a multiple of {:g}",
}

Schema = dict[str, Any]


def json_schema() -> str:
    """The JSON schema as text."""
    schema = Study.model_json_schema(by_alias=True)
    # Each score declares its options beside its code; those of one's own are not known here.
    schema["$defs"]["Scores"]["properties"]["options"]["properties"] = {
        name: options_model(name).model_json_schema() for name in SCORES
    }
    schema = _tidy(schema)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2) + "\n"


def page() -> str:
    """The page of all keys as Markdown."""
    schema = json.loads(json_schema())
    definitions = schema["$defs"]
    parts = [HEADER]
    for name, given in schema["properties"].items():
        parts.append(f"## {name}\n\n{_sentence(given['description'])}\n")
        parts.append(_table(*_rows_of_block(name, _resolved(given, definitions), definitions)))
    return "\n".join(parts)


def main() -> None:
    """Write both files into the checkout."""
    (ROOT / SCHEMA).write_text(json_schema(), encoding="utf-8")
    (ROOT / PAGE).write_text(page(), encoding="utf-8")


def _tidy(node: Any) -> Any:
    """Without pydantic's titles, and without a default where a key has none of its own."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _tidy(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
        and not (key == "default" and value is None)
    }


def _resolved(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A part of the schema with its reference followed; what stands beside that wins."""
    blocks = [part for part in node.get("anyOf", ()) if "$ref" in part]
    if len(blocks) == 1:
        # A block that may be left out.
        return {**_resolved(blocks[0], definitions), "default": node.get("default")}
    if "$ref" not in node:
        return node
    return {**definitions[node["$ref"].rsplit("/", 1)[1]], **node}


def _rows_of_block(
    path: str, block: Schema, definitions: Mapping[str, Schema]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table about a block."""
    inner = _named(block, definitions)
    if inner is not None:
        path, block = f"{path}.<{'block' if path == 'training' else 'name'}>", inner
    if "oneOf" not in block:
        return HEADINGS, list(_rows(path, block, definitions))
    tag = block["discriminator"]["propertyName"]
    members = [_resolved(part, definitions) for part in block["oneOf"]]
    # A row that several members share stands there once.
    kinds: dict[tuple[str, ...], list[str]] = {}
    for member in members:
        for row in _rows(path, member, definitions):
            if row[0] != f"`{path}.{tag}`":
                kinds.setdefault(tuple(row), []).append(member["properties"][tag]["const"])
    values = ", ".join(f"`{member['properties'][tag]['const']}`" for member in members)
    meanings = "; ".join(
        f"{member['properties'][tag]['const']}: {member['description'].rstrip('.')}"
        for member in members
    )
    rows = [[f"`{path}.{tag}`", "all", values, "", meanings]]
    for (key, *rest), of in sorted(kinds.items(), key=lambda item: -len(item[1])):
        rows.append([key, "all" if len(of) == len(members) else ", ".join(of), *rest])
    return [HEADINGS[0], tag, *HEADINGS[1:]], rows


def _named(block: Schema, definitions: Mapping[str, Schema]) -> Schema | None:
    """What a block of names of the user's own holds under each; `None` for any other block."""
    given = [*block.get("patternProperties", {}).values(), block.get("additionalProperties")]
    return _resolved(given[0], definitions) if isinstance(given[0], dict) else None


def _rows(path: str, block: Schema, definitions: Mapping[str, Schema]) -> Iterator[list[str]]:
    for name, given in block.get("properties", {}).items():
        key, value = f"{path}.{name}", _resolved(given, definitions)
        if "properties" in value:
            inner = list(_rows(key, value, definitions))
            if _named(value, definitions) is not None:
                inner.insert(0, [f"`{key}`", "block", "", value.get("description", "")])
            yield from inner
            continue
        default = "none" if {"type": "null"} in value.get("anyOf", []) else ""
        if "default" in value:
            default = f"`{json.dumps(value['default'])}`"
        yield [
            f"`{key}`",
            _values(value, definitions),
            default,
            value.get("description", ""),
        ]


def _values(value: Schema, definitions: Mapping[str, Schema]) -> str:
    """What a key may be, in words."""
    value = _resolved(value, definitions)
    if "anyOf" in value:
        return " or ".join(_values(part, definitions) for part in value["anyOf"])
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if value.get("type") == "array":
        return f"list of: {_values(value['items'], definitions)}"
    if value.get("type") == "object":
        inner = _named(value, definitions)
        if inner is None:
            return "block"
        return (
            "blocks as in `training`"
            if "epochs" in inner.get("properties", {})
            else (f"`<name>`: {_values(inner, definitions)}")
        )
    words = value.get("format") or TYPES[value.get("type", "any")]
    limits = [text.format(value[key]) for key, text in LIMITS.items() if key in value]
    return ", ".join([words, *limits])


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    main()
