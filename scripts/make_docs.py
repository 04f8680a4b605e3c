"""Write the reference pages: what each packet looks like, and every setting.

    python scripts/make_docs.py FOLDER

``wire.md`` is the docstrings of ``punktfunk.wire``, which are its specification; ``settings.md`` comes from
the settings model, ``commands.md`` from the command line. Nothing here is written twice by hand.
"""

import ast
import subprocess
import sys
from pathlib import Path

from punktfunk.commands.config import toml_value
from punktfunk.config import Settings
from punktfunk.config_loading import describe_type, schema_at

VERBS = (
    *("serve", "connect", "pair", "status", "doctor", "warm", "version"),
    *(
        "clients list",
        "clients pending",
        "clients approve",
        "clients deny",
        "clients grant",
        "clients expire",
    ),
    *("clients rename", "clients remove", "apps list", "config show", "config path", "config check"),
    *("probe", "why-late", "loss", "record", "replay", "dissect"),
)


def wire_page(package: Path) -> str:
    """Join the module docstrings of a package, generated bindings left out."""
    parts = ["# What the bytes mean\n"]
    for path in sorted(package.rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        if text and "wayland" not in path.parts:
            parts.append(f"## {path.relative_to(package.parent)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def settings_page() -> str:
    """Make a table of all settings."""
    rows = ["# Settings\n", "| key | allowed | default | meaning |", "|---|---|---|---|"]
    for key in Settings.model_fields:
        schema = schema_at((key,))
        default = toml_value(schema["default"]) if "default" in schema else "depends on the machine"
        default = "unset" if default == "null" else default
        rows.append(f"| `{key}` | {describe_type(schema)} | {default} | {schema['description']} |")
    rows.append(
        "\nEach is also an environment variable, such as `PUNKTFUNK_PORT`. Flags are stronger than "
        "variables, variables stronger than the file."
    )
    return "\n".join(rows) + "\n"


def commands_page() -> str:
    """Collect the ``--help`` of every verb."""
    parts = ["# Commands\n"]
    for verb in VERBS:
        shown = subprocess.run(
            [sys.executable, "-m", "punktfunk.cli", *verb.split(), "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        parts.append(f"## punktfunk {verb}\n\n```text\n{shown.stdout.strip()}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write all pages into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    package = Path(__file__).resolve().parent.parent / "punktfunk/wire"
    pages = {"wire.md": wire_page(package), "settings.md": settings_page(), "commands.md": commands_page()}
    for name, text in pages.items():
        (folder / name).write_text(text, "utf-8")
        print(folder / name)


if __name__ == "__main__":
    main()
