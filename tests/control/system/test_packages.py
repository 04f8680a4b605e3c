"""The command that installs a package, on this and that distribution."""

from pathlib import Path

import pytest

from punktfunk.control.system.packages import distribution, install_command

PACKAGES = {
    "debian": ["pipewire", "wireplumber"],
    "fedora": ["pipewire", "wireplumber"],
    "arch": ["pipewire"],
}


def release(folder: Path, text: str) -> Path:
    path = folder / "os-release"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('ID=debian\nPRETTY_NAME="Debian 13"', "sudo apt install pipewire wireplumber"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"', "sudo apt install pipewire wireplumber"),
        ("ID=bazzite\nID_LIKE='fedora'", "sudo dnf install pipewire wireplumber"),
        ("ID=cachyos\nID_LIKE=arch", "sudo pacman -S --needed pipewire"),
        ("ID=nixos\nPRETTY_NAME=NixOS", "install what NixOS calls pipewire, wireplumber"),
        (
            "ID=opensuse-tumbleweed\nID_LIKE='opensuse suse'",
            "install what opensuse-tumbleweed calls pipewire, wireplumber",
        ),
        ("", "install what this Linux calls pipewire, wireplumber"),
    ],
)
def test_command(tmp_path: Path, text: str, command: str) -> None:
    assert install_command(PACKAGES, release(tmp_path, text)) == command


def test_no_such_file(tmp_path: Path) -> None:
    assert distribution(tmp_path / "none") == ("", "this Linux")
