"""Every setting: its type, default, range and meaning, in one frozen model.

``config_loading`` fills it from the file, the environment and the command line; the host passes it on.
"""

import shlex
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from punktfunk import paths
from punktfunk.log import LogLevel

LOWEST_PORT_BASE = 1029  # HTTPS is 5 below, and ports under 1024 belong to root
HIGHEST_PORT_BASE = 65514  # RTSP is 21 above


def _address(text: str) -> str:
    ip_address(text.partition("%")[0])
    return text


def _folder(path: Path) -> Path:
    return path.expanduser().absolute()


def _words(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Folder = Annotated[Path, AfterValidator(_folder)]
Address = Annotated[str, AfterValidator(_address)]
Command = Annotated[tuple[str, ...], BeforeValidator(_words)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrepStep(_Frozen):
    """A command before an app starts, and the one that undoes it afterwards."""

    do: Command = Field(default=(), description="command run before the app, as one text or a list of words")
    undo: Command = Field(default=(), description="command run after the app, also when the app failed")


class AppSettings(_Frozen):
    """One entry of the client's app list beside Desktop."""

    name: str = Field(min_length=1, max_length=128, description="title that the client shows")
    command: Command = Field(default=(), description="program and arguments; empty shows the bare desktop")
    environment: dict[str, str] = Field(default={}, description="variables added for the app")
    working_folder: Folder | None = Field(default=None, description="folder that the app starts in")
    prep: tuple[PrepStep, ...] = Field(default=(), description="commands around the app, undone in reverse")
    image: Folder | None = Field(default=None, description="PNG shown by the client")


class Settings(_Frozen):
    """All settings of the host."""

    name: str = Field(
        default_factory=lambda: socket.gethostname() or "punktfunk",
        min_length=1,
        max_length=63,
        description="name that clients show",
    )
    bind: tuple[Address, ...] = Field(
        default=("::",), min_length=1, description="addresses to listen on; :: is all of them, IPv4 and IPv6"
    )
    port: Whole = Field(
        default=47989,
        ge=LOWEST_PORT_BASE,
        le=HIGHEST_PORT_BASE,
        description="HTTP port; the others lie at fixed distances from -5 to +21",
    )
    native: Flag = Field(default=True, description="serve punktfunk/1, this host's own protocol")
    native_port: Whole = Field(
        default=9777, ge=1024, le=65535, description="UDP port of punktfunk/1: control, sound and input"
    )
    native_open: Flag = Field(
        default=False,
        description="let every punktfunk/1 client in, paired or not; for trusted networks only",
    )
    native_sessions: Whole = Field(
        default=4, ge=1, le=64, description="punktfunk/1 clients that may stream at once"
    )
    native_fec_percent: Annotated[int, Field(strict=True, ge=0, le=90)] | None = Field(
        default=None, description="parity of punktfunk/1 in percent; it follows the loss if unset"
    )
    native_pacing: Literal["auto", "frame", "burst", "capped"] = Field(
        default="auto", description="how punktfunk/1 spreads a frame's packets; auto lets clients choose"
    )
    native_cipher: Literal["auto", "aes", "chacha20"] = Field(
        default="auto", description="what seals punktfunk/1's video; auto is AES where the CPU has it"
    )
    native_pcm: Flag = Field(
        default=True, description="let punktfunk/1 clients have uncompressed sound where the line is fast"
    )
    gamestream: Flag = Field(default=True, description="serve Moonlight clients by GameStream")
    state: Folder = Field(
        default_factory=paths.default_state_folder,
        description="folder of the host key and the paired clients",
    )
    lab_folder: Folder = Field(
        default_factory=paths.lab_folder,
        description="folder of a researcher's own variants; see docs/lab.md",
    )
    session: Literal["off", "sway", "gnome", "plasma", "gamescope"] = Field(
        default="off",
        description="desktop session that the host starts for itself and serves, with sound and all, where "
        "nobody is logged in; see docs/displays.md",
    )
    display: Literal[
        "auto",
        "attach",
        "sway",
        "wlroots",
        "gnome",
        "kwin",
        "hyprland",
        "gamescope",
        "mirror",
        "portal",
        "testcard",
    ] = Field(
        default="auto",
        description="source of the picture: the desktop that runs (attach), one of that name, a private sway "
        "or other wlroots session, your own monitor (mirror), whatever the desktop's portal gives, or a test "
        "card; see docs/displays.md",
    )
    input: Literal["auto", "eis", "compositor", "uinput"] = Field(
        default="auto",
        description="how keys and mouse reach the desktop: by what its compositor offers, or by uinput",
    )
    keyboard: Literal["layout", "scancode"] = Field(
        default="layout",
        description="what a key means: the client's character, or the key's place, as games want it",
    )
    pads: Literal["auto", "off", "xbox360", "xboxone", "dualsense", "dualshock4", "switchpro"] = Field(
        default="auto",
        description="gamepad that games see for a client's; auto is the nearest kind",
    )
    pads_by_player: tuple[
        Literal["auto", "xbox360", "xboxone", "dualsense", "dualshock4", "switchpro"], ...
    ] = Field(
        default=(), max_length=16, description="gamepads of players 1, 2 and so on; the others' as pads says"
    )
    display_arrangement: Literal["extend", "primary", "exclusive"] = Field(
        default="extend",
        description="how a client's display joins your desktop: one more, also the main one, or the only one "
        "while it is there",
    )
    display_position: Literal["right", "left", "above", "below"] = Field(
        default="right", description="side of your other displays on which a client's lies"
    )
    display_scale: Number = Field(
        default=1.0,
        ge=0.5,
        le=4.0,
        description="scale of a client's display; 2.0 doubles the size of everything",
    )
    display_limit: Whole = Field(
        default=4, ge=1, le=16, description="displays that may exist at once, over all clients"
    )
    display_monitor: str = Field(
        default="", description='your monitor that display = "mirror" shows, such as "DP-1"; empty: the first'
    )
    display_cursor: Literal["embedded", "metadata", "hidden"] = Field(
        default="embedded",
        description="the mouse pointer: drawn by the desktop, or sent apart (GNOME, Plasma, portal) and "
        "drawn by clients that can and by the host for others, or left out",
    )
    second_client: Literal["own", "takeover", "refuse"] = Field(
        default="own",
        description="a client that comes while another one streams gets a display of its own, takes over, or "
        "is refused",
    )
    linger_s: Annotated[int, Field(strict=True, ge=0, le=86400)] | None = Field(
        default=None,
        description="seconds that display and app wait for a client that dropped without a word; "
        "resume_timeout_s if unset",
    )
    testcard: Literal["bars", "noise"] = Field(
        default="bars",
        description="picture of the test card; noise makes frames as large as the bitrate allows",
    )
    encoder: Literal["auto", "nvenc", "vaapi", "qsv", "amf", "vulkan", "software"] = Field(
        default="auto", description="video encoder family; auto takes the first that encodes a frame"
    )
    software_hevc: Flag = Field(default=False, description="offer HEVC also when only the CPU can encode it")
    software_av1: Flag = Field(default=False, description="offer AV1 also when only the CPU can encode it")
    fec_percent: Whole = Field(
        default=20, ge=0, le=100, description="parity shards per hundred data shards of a video frame"
    )
    pacing: Literal["frame", "burst"] = Field(
        default="frame", description="spread a frame's packets over its interval, or send them at once"
    )
    audio: Literal["auto", "desktop", "tone", "silence"] = Field(
        default="auto",
        description="sound of the stream: what programs play, a test tone, or none; "
        "auto is a tone with the test card, else the desktop's sound",
    )
    audio_mode: Literal["client", "both", "host"] = Field(
        default="client",
        description="who hears what programs play: the client, the client and this machine, or this machine",
    )
    microphone: Flag = Field(
        default=True, description="let programs record the microphone of a client that has the right to it"
    )
    encryption: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="encrypt video and sound as the client wishes, or refuse clients without, or never",
    )
    resume_timeout_s: Whole = Field(
        default=600, ge=10, le=86400, description="seconds that an app whose client left waits for its return"
    )
    discovery: Flag = Field(default=True, description="announce the host by mDNS")
    realtime_priority: Whole = Field(
        default=20, ge=0, le=99, description="realtime priority of the sending thread; 0 asks for none"
    )
    realtime_cpu: Annotated[int, Field(strict=True, ge=0, le=4095)] | None = Field(
        default=None, description="CPU that the sending thread is pinned to; the host picks one if unset"
    )
    log_level: LogLevel = Field(default="info", description="least important kind of log line that is shown")
    apps: tuple[AppSettings, ...] = Field(
        default=(), description="apps beside Desktop, each an [[apps]] table"
    )
