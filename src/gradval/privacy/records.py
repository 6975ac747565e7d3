"""Records that are read from files of unknown origin: bounded, and refused in one line."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """A frozen record; unknown keys, infinities and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


AnyRecord = TypeVar("AnyRecord", bound=Record)

# Of events: pydantic names them in the path to a value, but they are no keys.
_KINDS = ("gaussian", "laplace", "pure", "none", "public")
# How pydantic's messages are said here, by their kinds.
_SAID = {"missing": "is missing", "extra_forbidden": "is not a known key"}
_SHOWN = 60  # characters of a wrong value


def read_record(kind: type[AnyRecord], content: Any, where: str) -> AnyRecord:
    """Validate plain values.

    Args:
        kind: of the record.
        content: as read from a JSON file.
        where: named in the message, such as the file.

    Raises:
        ValueError: they do not conform; one line that names the key.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{where}: {_first_line(error)}") from None


def _first_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = "$"
    for part in first["loc"]:
        if isinstance(part, int):
            path = f"{path}[{part}]"
        elif part not in _KINDS:
            path = f"{path}.{part}"
    if first["type"] == "value_error":
        # Our own sentences, which name their keys.
        said = str(first["ctx"]["error"])
        return said if said.startswith("$") else f"{path}: {said}"
    if first["type"] in _SAID:
        return f"{path}: {_SAID[first['type']]}"
    said = first["msg"].replace("Input should be", "must be")
    value = repr(first["input"])
    value = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
    return f"{path}: {said}, got {value}"
