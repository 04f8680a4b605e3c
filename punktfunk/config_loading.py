"""Where the value of each setting comes from.

    defaults  <  config.toml  <  environment PUNKTFUNK_KEY  <  command line

The result is frozen and complete: nothing in the host reads a file or a variable again. What is wrong is
reported all at once, each line naming the source, the key, the value, what is allowed and, for an unknown
key, the nearest known one; then nothing starts.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from punktfunk import paths
from punktfunk.config import Settings
from punktfunk.errors import ConfigError, Misuse

ENVIRONMENT_PREFIX = "PUNKTFUNK_"
OTHER_VARIABLES = frozenset(
    {
        "PUNKTFUNK_APP",
        "PUNKTFUNK_CONFIG",
        "PUNKTFUNK_KERNEL_CACHE",
        "PUNKTFUNK_SEAL",
        "PUNKTFUNK_SIMD",
        "PUNKTFUNK_TRIXIE",
    }
)
"""Variables with our prefix that are no settings: the mark of apps (a ``punktfunk`` started inside a stream
must not trip over it), the file, the kernels' cache, instruction set and way to seal, the tree with the
newer sway."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and for each key the source that had the last word."""

    settings: Settings
    origins: Mapping[str, str]
    file: Path
    file_exists: bool


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> LoadedSettings:
    """Merge all sources and check the result.

    flags    key -> value for what the command line gave; None values count as not given
    environ  defaults to ``os.environ``
    file     settings file that must exist; None reads the usual one if it is there

    Raises ConfigError with one line per problem.
    """
    path = file or paths.config_file()
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    sources: list[tuple[Mapping[str, object], Callable[[str], str]]] = [
        (_read_file(path, required=file is not None), lambda _key: str(path)),
        (
            _read_environment(os.environ if environ is None else environ),
            lambda key: f"environment {_variable(key)}",
        ),
        (
            {key: value for key, value in (flags or {}).items() if value is not None},
            lambda key: f"flag --{key.replace('_', '-')}",
        ),
    ]
    for source, origin in sources:
        for key, value in source.items():
            values[key], origins[key] = value, origin(key)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        details = _innermost(error)
        only_flags = all(origins.get(str(detail["loc"][0]), "").startswith("flag ") for detail in details)
        kind = Misuse if only_flags else ConfigError
        raise kind(
            "\n".join(_explain(detail, origins) for detail in details),
            hint="`punktfunk config show --explain` lists every setting.",
        ) from error
    return LoadedSettings(settings, origins, path, path.exists())


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigError(
                f"{path}: there is no such file", hint="Name an existing file with --config."
            ) from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint="See https://toml.io for the syntax.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _variable(key: str) -> str:
    return ENVIRONMENT_PREFIX + key.upper()


def _read_environment(environ: Mapping[str, str]) -> dict[str, object]:
    return {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): _from_text(
            name.removeprefix(ENVIRONMENT_PREFIX).lower(), text
        )
        for name, text in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX) and name not in OTHER_VARIABLES
    }


def _from_text(key: str, text: str) -> object:
    """Environment text as the key's type: lists split at commas, numbers and tables read as TOML."""
    kind = describe_type(schema_at((key,)))
    if key == "bind":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind.startswith(("text", "one of", "a path")):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # the model refuses it and says what is allowed


def schema_at(location: tuple[int | str, ...]) -> dict[str, Any]:
    """JSON schema of the setting at ``location`` ({} where the key is unknown)."""
    whole = Settings.model_json_schema()
    here: dict[str, Any] = whole
    for step in location:
        if isinstance(step, int):
            here = here.get("items", here)
        elif step in here.get("properties", {}):
            here = here["properties"][step]
        elif here.get("type") == "object" and "properties" in here:
            return {}
        if "anyOf" in here:  # only "something or null" occurs
            here = next(choice for choice in here["anyOf"] if choice.get("type") != "null") | {
                key: value for key, value in here.items() if key != "anyOf"
            }
        if "$ref" in here:
            here = whole["$defs"][here["$ref"].rpartition("/")[2]]
    return here


def describe_type(schema: Mapping[str, Any]) -> str:
    """Say what a setting may be: ``a whole number from 0 to 100``."""
    words = "a table"
    match schema:
        case {"enum": choices}:
            words = "one of " + ", ".join(json.dumps(choice) for choice in choices)
        case {"type": "integer", "minimum": low, "maximum": high}:
            words = f"a whole number from {low} to {high}"
        case {"type": "number", "minimum": low, "maximum": high}:
            words = f"a number from {low:g} to {high:g}"
        case {"type": "boolean"}:
            words = "true or false"
        case {"type": "array", "items": items}:
            words = f"a list, each item {describe_type(items)}"
        case {"type": "string", "format": "path"}:
            words = "a path"
        case {"type": "string", "minLength": low, "maxLength": high}:
            words = f"text of {low} to {high} characters"
        case {"type": "string"}:
            words = "text"
    return words


def _innermost(error: ValidationError) -> list[ErrorDetails]:
    """Leave out what only follows from an error further inside, such as a list that lost its bad item."""
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]
    return [
        detail
        for detail in details
        if not any(place[: len(detail["loc"])] == detail["loc"] != place for place in places)
    ]


def _explain(detail: ErrorDetails, origins: Mapping[str, str]) -> str:
    """One line for one pydantic error."""
    location: tuple[int | str, ...] = detail["loc"]
    source = origins.get(str(location[0]), "settings")
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    value = json.dumps(detail["input"], default=str, ensure_ascii=False)
    if detail["type"] == "missing":
        return f"{source}: {key} is missing: {describe_type(schema_at(location))}"
    if detail["type"] == "extra_forbidden":
        known = list(schema_at(location[:-1]).get("properties", {}))
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.0)
        return f"{source}: unknown key {key} = {value}; the nearest known key is {near[0]}"
    reason = f" ({detail['ctx']['error']})" if detail["type"] == "value_error" else ""
    return f"{source}: {key} = {value}{reason}; allowed: {describe_type(schema_at(location))}"
