"""What a key of a params file means: its docstring in its section, its type and its value."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel

from ssml.files.errors import UserError

from .params import Params


class Explained(NamedTuple):
    key: str
    value: str  # as JSON
    type: str
    meaning: str  # with the unit; of an entry that is named in the file, that of its parent


def explain(params: Params, key: str = "") -> list[Explained]:
    """The keys at and below `key`, or all; raises `UserError` if there is no such key."""
    rows = list(_rows(params))
    found = [row for row in rows if not key or row.key == key or row.key.startswith(f"{key}.")]
    if not found:
        parent = key.rpartition(".")[0]
        near = {row.key for row in rows if parent and row.key.rpartition(".")[0] == parent}
        near = near or {row.key.partition(".")[0] for row in rows}
        raise UserError(f"{key}: no such key; there are {', '.join(sorted(near))}")
    return found


def candidates(params: Params, key: str) -> list[str]:
    """The keys and sections that `key` may mean: itself, else those it is a part of, in order.

    `t60` means `scenes.t60`. `jitter` is no whole part of a key: it means `scenes.array_jitter`.
    """
    rows, wanted = list(_rows(params)), key.split(".")
    if any(f"{row.key}.".startswith(f"{key}.") for row in rows):
        return [key]

    def ends(key: str, fits: Callable[[list[str]], bool]) -> Iterator[str]:
        parts = key.split(".")
        for i in range(len(wanted), len(parts) + 1):
            if fits(parts[i - len(wanted) : i]):
                yield ".".join(parts[:i])

    def within(parts: list[str]) -> bool:
        return key in ".".join(parts)

    for fits in (wanted.__eq__, within):
        if found := [name for row in rows for name in ends(row.key, fits)]:
            return list(dict.fromkeys(found))
    return []


def _rows(section: BaseModel, above: str = "") -> Iterator[Explained]:
    fields, properties = type(section).model_fields, _schema(type(section))
    for name, value in section:
        key, meaning = f"{above}{name}", fields[name].description or ""
        if isinstance(value, BaseModel):
            yield from _rows(value, f"{key}.")
        elif isinstance(value, Mapping) and any(isinstance(v, BaseModel) for v in value.values()):
            for entry, inner in value.items():
                yield from _rows(inner, f"{key}.{entry}.")
        else:
            kind = _in_words(properties[name])
            yield Explained(key, json.dumps(section.model_dump(mode="json")[name]), kind, meaning)


@cache
def _schema(section: type[BaseModel]) -> dict[str, Any]:
    return section.model_json_schema()["properties"]


def _in_words(schema: Mapping[str, Any]) -> str:
    """A JSON schema in a few words."""
    for key in ("const", "enum"):
        if key in schema:
            values = schema[key] if key == "enum" else [schema[key]]
            return " | ".join(map(str, values))
    if "anyOf" in schema:
        return " or ".join(_in_words(part) for part in schema["anyOf"])
    if "$ref" in schema:
        return "a section"
    kind = schema.get("type", "any")
    if kind == "array":
        inner = schema.get("prefixItems") or [schema.get("items", {})]
        return f"[{', '.join(_in_words(part) for part in inner)}{', ...' * ('items' in schema)}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"{{name: {_in_words(inner)}}}" if isinstance(inner, Mapping) else "{name: any}"
    limits = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    words = [f"{sign} {schema[name]:g}" for name, sign in limits.items() if name in schema]
    return " ".join([kind, *words])
