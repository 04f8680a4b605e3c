"""Which command installs a missing program on this distribution. Punktfunk itself never installs anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

OS_RELEASE: Final = Path("/etc/os-release")
COMMANDS: Final = {
    "debian": "sudo apt install",
    "fedora": "sudo dnf install",
    "arch": "sudo pacman -S --needed",
    "suse": "sudo zypper install",
}
RELATIVES: Final = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
    "arch": "arch",
    "archlinux": "arch",
    "suse": "suse",
    "opensuse": "suse",
}

Packages = Mapping[str, Sequence[str]]
"""Package names by family: debian, fedora, arch, suse."""


def distribution(os_release: Path = OS_RELEASE) -> tuple[str, str]:
    """Return family (empty: one that we do not know) and name of this distribution (os-release(5))."""
    try:
        lines = os_release.read_text("utf-8", "replace").splitlines()
    except OSError:
        return "", "this Linux"
    fields = {
        name: value.strip().strip("\"'")
        for name, found, value in (line.partition("=") for line in lines)
        if found
    }
    words = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    family = next((RELATIVES[word] for word in words if word in RELATIVES), "")
    return family, fields.get("PRETTY_NAME") or fields.get("ID") or "this Linux"


def install_command(packages: Packages, os_release: Path = OS_RELEASE) -> str:
    """Word the command that installs packages here, as root does it.

    A family without an entry gets the names of Debian in a sentence.
    """
    family, name = distribution(os_release)
    names = packages.get(family)
    if names:
        return f"{COMMANDS[family]} {' '.join(names)}"
    return f"install what {name} calls {', '.join(packages['debian'])}"
