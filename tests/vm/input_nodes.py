"""The kernel's input devices as games find them: by name, through /dev/input and /sys. No library in between."""

import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Self

import trio

EVENT = struct.Struct("@llHHi")
GAME = """
import fcntl, os, struct, sys, time
effect = struct.pack("@HhHHHHH2xHH", 0x50, -1, 0, 0, 0, 0, 0, {strong}, {weak}).ljust(48, b"\\0")
node = os.open(sys.argv[1], os.O_RDWR)
buffer = bytearray(effect)
fcntl.ioctl(node, 0x40304580, buffer)
number = struct.unpack_from("@h", buffer, 2)[0]
os.write(node, struct.pack("@llHHi", 0, 0, 0x15, number, 1))
time.sleep({seconds})
os.write(node, struct.pack("@llHHi", 0, 0, 0x15, number, 0))
fcntl.ioctl(node, 0x40044581, number)
print("played", number)
"""


def named(name: str) -> list[Path]:
    """Event nodes of devices with exactly this name, oldest first."""
    found = []
    for folder in Path("/sys/class/input").glob("event*"):
        try:
            if (folder / "device/name").read_text().strip() == name:
                found.append(Path("/dev/input") / folder.name)
        except OSError:
            continue
    return sorted(found, key=lambda node: int(node.name.removeprefix("event")))


async def appears(name: str, count: int = 1) -> list[Path]:
    """Wait until there are so many devices of a name."""
    with trio.fail_after(90):
        while len(nodes := named(name)) != count or not all(node.exists() for node in nodes):  # noqa: ASYNC110
            await trio.sleep(0.05)
    return nodes


class Node:
    """One device, open as a game has it; ``state`` is the newest value of each type and code."""

    def __init__(self, path: Path) -> None:
        self.handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.state: dict[tuple[int, int], int] = {}
        self.events: list[tuple[int, int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    def range_of(self, axis: int) -> tuple[int, int]:
        """Least and most value of an absolute axis (EVIOCGABS)."""
        data = bytearray(24)
        fcntl.ioctl(self.handle, 0x80184540 + axis, data)
        return struct.unpack_from("@ii", data, 4)

    async def until(self, wanted: dict[tuple[int, int], int]) -> None:
        """Read until the state has these values."""
        with trio.fail_after(60):
            while not wanted.items() <= self.state.items():
                await trio.lowlevel.wait_readable(self.handle)
                for _s, _us, kind, code, value in EVENT.iter_unpack(os.read(self.handle, EVENT.size * 64)):
                    self.state[kind, code] = value
                    self.events.append((kind, code, value))


def sysfs(pattern: str) -> dict[Path, str]:
    """Read the files of /sys that match."""
    return {path: path.read_text().strip() for path in Path("/sys").glob(pattern)}


async def play_rumble(node: Path, strong: int, weak: int, seconds: float = 0.3) -> str:
    """Upload, play, stop and erase an effect from a process of its own, as ioctls of one block the other."""
    script = GAME.format(strong=strong, weak=weak, seconds=seconds)
    ended = await trio.run_process(
        [sys.executable, "-c", script, str(node)], capture_stdout=True, capture_stderr=True, check=False
    )
    assert isinstance(ended, subprocess.CompletedProcess)
    return (ended.stdout + ended.stderr).decode()
