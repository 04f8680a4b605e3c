"""``punktfunk config``: show, path and check."""

import json
from collections.abc import Mapping
from pathlib import Path

from punktfunk import paths
from punktfunk.config_loading import LoadedSettings, describe_type, load_settings, schema_at


def show(state: Path | None, config_file: Path | None, *, explain: bool) -> None:
    """Print all settings as TOML, the source of each as a comment."""
    loaded = load_settings({"state": state}, file=config_file)
    missing = "" if loaded.file_exists else " (not there)"
    print(f"# settings file: {loaded.file}{missing}")
    for line in lines_of(loaded, explain=explain):
        print(line)


def lines_of(loaded: LoadedSettings, *, explain: bool) -> list[str]:
    """Write one setting a line; tables of apps at the end, as TOML wants it."""
    values = loaded.settings.model_dump(mode="json", exclude={"apps"})
    lines: list[str] = []
    for key, value in values.items():
        if explain:
            schema = schema_at((key,))
            lines += [
                "",
                f"# {schema['description']}",
                f"# {describe_type(schema)}; variable PUNKTFUNK_{key.upper()}",
            ]
        origin = loaded.origins.get(key, "default")
        lines.append(f"# {key} is not set" if value is None else f"{key} = {toml_value(value)}  # {origin}")
    for entry in loaded.settings.model_dump(mode="json", exclude_none=True)["apps"]:
        lines += ["", f"[[apps]]  # {loaded.origins['apps']}"]
        lines += [f"{key} = {toml_value(value)}" for key, value in entry.items()]
    return lines


def toml_value(value: object) -> str:
    """Write a JSON-like value as TOML.

    JSON's strings are TOML's basic strings but for two things: TOML has no surrogate pairs, so nothing is
    escaped that need not be, and it wants DEL escaped.
    """
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{toml_value(key)} = {toml_value(inner)}" for key, inner in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def path() -> None:
    """Print where the settings file is or would be."""
    print(paths.config_file())


def check(config_file: Path | None) -> None:
    """Load the settings; ConfigError if they are wrong."""
    loaded = load_settings(file=config_file)
    given = f"{len(loaded.origins)} settings given, the others have their defaults"
    print(f"{loaded.file}: {'ok' if loaded.file_exists else 'not there, which is fine'}; {given}")
