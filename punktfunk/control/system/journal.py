"""What was made on this machine and must not stay: one small file for each output and process group.

An entry is written before the thing is used and removed after it is gone. After a crash of the host, or
SIGKILL, the next start finds entries whose owner is dead and cleans up (``control/displays/reclaim.py``). The
folder lies in the runtime folder, which a reboot empties; the boot id guards the ones that it does not empty.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from punktfunk.control.system.processes import ProcessIdentity, is_alive, read_boot_id, read_identity
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

MAXIMUM_ENTRY_BYTES = 64 * 1024
MAXIMUM_PROCESSES = 64
TOKEN = re.compile(r"[0-9a-f]{16}")
KIND = re.compile(r"[a-z][a-z-]{0,31}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing made.

    spawned   a private compositor: ``folder`` is its own runtime folder, ``processes`` oldest first
    output    an output added to the compositor ``processes[0]``; ``output_name`` is empty until it is known,
              then whatever is not in ``outputs_before`` is ours
    parked    such an output, disabled because its compositor cannot remove it; used again by the next session

    Other kinds belong to one backend each: ``reclaim`` knows who undoes them. ``details`` is theirs: whatever
    they need to put things back, such as which monitors were on.
    """

    token: str
    kind: str
    owner: ProcessIdentity
    socket_path: str = ""
    output_name: str = ""
    outputs_before: tuple[str, ...] = ()
    folder: str = ""
    processes: tuple[ProcessIdentity, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)

    def with_process(self, pid: int) -> "Entry":
        """Add a process that was just started; one that is gone already adds nothing."""
        identity = read_identity(pid)
        return self if identity is None else replace(self, processes=(*self.processes, identity))


def new_entry(kind: str, **fields: Any) -> Entry:
    """Make an entry owned by this process, with a token of its own."""
    owner = read_identity(os.getpid()) or ProcessIdentity(os.getpid(), 0, read_boot_id())
    return Entry(secrets.token_hex(8), kind, owner, **fields)


def build_entry(entry: Entry) -> bytes:
    """Write an entry as JSON."""
    return json.dumps(asdict(entry), indent=1).encode()


def parse_entry(data: bytes) -> Entry:
    """Read an entry; whatever is not one raises RemoteProtocolError and nothing else."""
    if len(data) > MAXIMUM_ENTRY_BYTES:
        raise RemoteProtocolError(
            f"journal entry of {len(data)} bytes, at most {MAXIMUM_ENTRY_BYTES} allowed"
        )
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"journal entry is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise RemoteProtocolError("journal entry is not an object")
    token, kind = _text(fields, "token"), _text(fields, "kind")
    if not TOKEN.fullmatch(token) or not KIND.fullmatch(kind):
        raise RemoteProtocolError(f"journal entry with token {token!r} and kind {kind!r}")
    processes = _list(fields, "processes")
    before = _list(fields, "outputs_before")
    if not all(isinstance(name, str) for name in before):
        raise RemoteProtocolError("journal entry with an output name that is no text")
    return Entry(
        token,
        kind,
        _identity(fields.get("owner")),
        _text(fields, "socket_path"),
        _text(fields, "output_name"),
        tuple(before),
        _text(fields, "folder"),
        tuple(_identity(process) for process in processes),
        _details(fields.get("details", {})),
    )


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise RemoteProtocolError(f"journal entry without text in {name}")
    return value


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list) or len(value) > MAXIMUM_PROCESSES:
        raise RemoteProtocolError(f"journal entry without a short list in {name}")
    return value


def _details(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAXIMUM_PROCESSES:
        raise RemoteProtocolError("journal entry whose details are no short table")
    if not all(isinstance(text, str) for text in value.values()):
        raise RemoteProtocolError("journal entry with a detail that is no text")
    return value


def _identity(value: object) -> ProcessIdentity:
    match value:
        case {"pid": int(pid), "start_ticks": int(ticks), "boot_id": str(boot)} if 0 < pid < 1 << 31:
            return ProcessIdentity(pid, ticks, boot)
    raise RemoteProtocolError("journal entry with a process that is none")


class Journal:
    """The entries of one runtime folder; several hosts may share it, each touches its own or a dead one's."""

    def __init__(self, runtime_folder: Path) -> None:
        self.runtime_folder = runtime_folder
        self.folder = runtime_folder / "journal"

    def write(self, entry: Entry) -> Entry:
        """Store an entry, whole or not at all, and return it."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._path(entry.token)
            scratch = path.with_suffix(".new")
            with open(scratch, "wb", opener=_private) as file:
                file.write(build_entry(entry))
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except OSError as error:
            raise EnvironmentProblem(
                f"cannot write the journal in {self.folder}: {error.strerror}",
                hint="Nothing is made that a crash would leave behind for ever: choose another folder.",
            ) from error
        return entry

    def remove(self, token: str) -> None:
        """Forget an entry; one that is gone already is fine."""
        self._path(token).unlink(missing_ok=True)

    def entries(self) -> tuple[list[Entry], list[str]]:
        """Read every entry, and name the files set aside because they hold none."""
        found: list[Entry] = []
        refused: list[str] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(parse_entry(path.read_bytes()))
            except FileNotFoundError:
                continue  # its owner removed it meanwhile
            except (OSError, RemoteProtocolError) as error:
                path.replace(path.with_suffix(".broken"))
                refused.append(f"{path.name}: {error}")
        return found, refused

    def newest(self, entry: Entry) -> Entry:
        """Return an entry as it stands now, as others may have added to it; itself where it is gone."""
        return next((now for now in self.entries()[0] if now.token == entry.token), entry)

    def orphans(self) -> tuple[list[Entry], list[str]]:
        """Read the entries whose owner is dead, and name the files set aside."""
        found, refused = self.entries()
        return [entry for entry in found if entry.kind != "parked" and not is_alive(entry.owner)], refused

    def _path(self, token: str) -> Path:
        return self.folder / f"{token}.json"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
