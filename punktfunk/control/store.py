"""State on disk: one JSON file each for the host's identity, its clients and its app numbers.

A write is all or nothing: a new file beside the old one, flushed, renamed over it, folder flushed. A host
killed at any moment leaves the old content or the new, never a mixture. What the files mean belongs to their
owners (``identity``, ``trust``, ``apps``); this module knows only ``kind`` and ``format``.
"""

import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from punktfunk.errors import ConfigError, EnvironmentProblem

logger = logging.getLogger(__name__)

MAXIMUM_FILE_BYTES: Final = 4 << 20
"""A state file is a few kilobytes; something larger is not ours."""

Content = dict[str, Any]
Migration = Callable[[Content], Content]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class StateFile:
    """Where one kind of state lies and how older formats of it become the present one.

    ``migrations[n]`` turns the content of format n into that of format n + 1.
    """

    path: Path
    kind: str
    format_number: int = 1
    migrations: Mapping[int, Migration] = field(default_factory=dict)

    def load(self, interpret: Callable[[Content], Value]) -> Value | None:
        """Read the file; None when there is none, or when it was corrupt and has been set aside.

        ``interpret`` raises ValueError, TypeError or KeyError for content that makes no sense: that, too,
        sets the file aside. A newer format raises ConfigError and leaves the file alone. The caller holds the
        folder's lock, so files that a killed host left half-written are swept out here.
        """
        for leftover in self.path.parent.glob(f".{self.path.name}.*.new"):
            leftover.unlink(missing_ok=True)
        try:
            with self.path.open("rb") as file:
                raw = file.read(MAXIMUM_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EnvironmentProblem(
                f"Cannot read the {self.kind} from {self.path}: {error.strerror}.",
                hint="Give this user access to the file, or choose another folder with --state.",
            ) from error
        try:
            content = _decode(raw, self.kind)
            old_format = content["format"]
            if old_format > self.format_number:
                raise ConfigError(
                    f"{self.path} has format {old_format}; this punktfunk knows up to {self.format_number}.",
                    hint="Run the newer punktfunk that wrote it, or choose another folder with --state.",
                )
            migrated = self._migrate(content)
            value = interpret(migrated)
        except (ValueError, TypeError, KeyError) as error:
            self._set_aside(error)
            return None
        if old_format != self.format_number:
            _write_atomically(self.path.with_name(f"{self.path.name}.format{old_format}"), raw)
            self.save(migrated)
            logger.info("state migrated kind=%s from=%d to=%d", self.kind, old_format, self.format_number)
        return value

    def save(self, content: Mapping[str, Any]) -> None:
        """Write ``content`` so that a crash leaves the old file or the new one; mode 0600."""
        framed = {**content, "kind": self.kind, "format": self.format_number}
        _write_atomically(self.path, json.dumps(framed, indent=1, sort_keys=True).encode() + b"\n")

    def _migrate(self, content: Content) -> Content:
        for number in range(content["format"], self.format_number):
            content = {**self.migrations[number](content), "format": number + 1}
        return content

    def _set_aside(self, reason: Exception) -> None:
        for number in range(1, 1000):
            refuge = self.path.with_name(f"{self.path.name}.corrupt{number}")
            if not refuge.exists():
                break
        self.path.rename(refuge)
        logger.error(
            "state corrupt, set aside and started afresh kind=%s file=%s kept_as=%s reason=%s",
            self.kind,
            self.path,
            refuge.name,
            reason,
        )


def _decode(raw: bytes, kind: str) -> Content:
    if len(raw) > MAXIMUM_FILE_BYTES:
        raise ValueError(f"larger than {MAXIMUM_FILE_BYTES} bytes")
    try:
        content = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(content, dict) or content.get("kind") != kind:
        raise ValueError(f"not a file of kind {kind}")
    if type(content.get("format")) is not int or content["format"] < 1:
        raise ValueError("no format number")
    return content


def _write_atomically(path: Path, raw: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        if hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
            _sync_folder(path.parent)
    except OSError as error:
        raise EnvironmentProblem(
            f"Cannot write {path}: {error.strerror}.",
            hint="Free some disk space or fix the folder's permissions; the old file is untouched.",
        ) from error


def _sync_folder(path: Path) -> None:
    """Let the rename itself survive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
