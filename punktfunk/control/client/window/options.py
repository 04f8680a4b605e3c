"""What the user may choose about the window."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """Wishes of the command line. Sizes in pixels."""

    title: str = "punktfunk"
    width_px: int = 1280
    height_px: int = 720
    fullscreen: bool = False
    overlay: bool = False
    relative_mouse: bool = False
    """Begin with the pointer grabbed, for games; otherwise it moves over the picture like over a window."""

    microphone: bool = False
    mute: bool = False
    follow_size: bool = True
    """Ask the host for the window's size one second after it was changed."""

    hardware: str = "auto"  # "none", or a device type of libavutil
    vsync: bool = True
    renderer: str = ""  # SDL's name of a renderer, such as "software"; empty: SDL's own choice
