"""systemd units for the host: one for the system, that runs as an ordinary user, and one for a user.

Nothing is installed here: ``punktfunk service`` prints them, packaging/ has them as examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SYSTEM_HEAD: Final = """\
# punktfunk at boot, as the ordinary user {user}: nobody needs to log in, no monitor needs to be connected.
# Install it as root:
#   save this as /etc/systemd/system/punktfunk.service, then
#   systemctl daemon-reload && systemctl enable --now punktfunk
# Its messages: journalctl -u punktfunk. Those of the desktop: {state}/session/*.log
"""
USER_HEAD: Final = """\
# punktfunk as a service of this user.
# Install it:
#   save this as ~/.config/systemd/user/punktfunk.service, then
#   systemctl --user daemon-reload && systemctl --user enable --now punktfunk
{linger}# Its messages: journalctl --user -u punktfunk
"""
LINGER: Final = """\
#   sudo loginctl enable-linger $USER      (so that it runs from boot on, without a login)
"""
WISHED_GROUPS: Final = ("render", "video", "input")
"""Who may use the GPU, old GPU nodes, and /dev/uinput where the udev rule gives it to this group."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What differs from machine to machine.

    program  path of the punktfunk command
    user     who runs it; empty: a unit of the user's own manager
    session  the ``session`` setting
    groups   supplementary groups; each must exist, or systemd refuses to start the unit
    """

    program: str
    user: str = ""
    session: str = "off"
    groups: Sequence[str] = ()


def build_unit(unit: Unit) -> str:
    """Write the unit with its instructions (systemd.service(5), systemd.exec(5), systemd.kill(5))."""
    own = unit.session != "off"
    words = [_quoted(unit.program), "serve", *(["--session", unit.session] if own else [])]
    if unit.user:
        head = SYSTEM_HEAD.format(user=unit.user, state="~/.local/state/punktfunk")
        after, wanted_by = "network-online.target", "multi-user.target"
    else:
        head = USER_HEAD.format(linger=LINGER if own else "")
        # Without a session of its own it shows the desktop that this user logs into.
        after = wanted_by = "default.target" if own else "graphical-session.target"
    lines = [
        "[Unit]",
        "Description=punktfunk streaming host",
        *([f"Wants={after}"] if unit.user else []),
        *([f"After={after}"] if unit.user or not own else []),
        *(["PartOf=graphical-session.target"] if not unit.user and not own else []),
        "",
        "[Service]",
        f"ExecStart={' '.join(words)}",
        *(_as_user(unit) if unit.user else []),
        "# Only the host is asked to end: it ends its desktop in order. What is left after that is killed.",
        "KillMode=mixed",
        "TimeoutStopSec=40",
        "Restart=on-failure",
        "RestartSec=3",
        "# Wrong settings stay wrong.",
        "RestartPreventExitStatus=2",
        *(["# A sending thread that is never late.", "LimitRTPRIO=60"] if unit.user else []),
        "",
        "[Install]",
        f"WantedBy={wanted_by}",
    ]
    return head + "\n" + "\n".join(lines) + "\n"


def _as_user(unit: Unit) -> list[str]:
    lines = [
        f"User={unit.user}",
        "WorkingDirectory=~",
        "# Nobody logs in, so nobody else makes this folder.",
        "RuntimeDirectory=punktfunk",
        "RuntimeDirectoryMode=0700",
        "Environment=XDG_RUNTIME_DIR=/run/punktfunk",
    ]
    return [*lines, f"SupplementaryGroups={' '.join(unit.groups)}"] if unit.groups else lines


def _quoted(path: str) -> str:
    """Write a path as systemd reads it back: % and $ doubled, in quotes where it has spaces."""
    escaped = path.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if any(character in path for character in " '\"\\") else escaped
