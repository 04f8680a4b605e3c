"""SDL2, loaded once and quietly, and its refusals as errors with a hint.

``pysdl2`` is the binding, ``pysdl2-dll`` brings the library for Linux, macOS and Windows; where that wheel is
missing a system's own libSDL2 is found. (PySDL3 is no way: its wheel downloads the library at import.)
"""

import ctypes
import warnings
from functools import cache
from typing import Any, Final

from punktfunk.errors import EnvironmentProblem

INSTALL: Final = 'Install it with: pip install "punktfunk[client]"'


@cache
def sdl() -> Any:
    """Load the binding; EnvironmentProblem if it or the library is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it found the library
        try:
            import sdl2
        except ImportError as error:
            raise EnvironmentProblem(f"the window needs SDL2: {error}", hint=INSTALL) from error
    return sdl2


def last_error() -> str:
    """Tell what SDL says about its last failure."""
    return str(sdl().SDL_GetError().decode(errors="replace")) or "no reason given"


def need(result: Any, doing: str) -> Any:
    """Pass on a handle or a status of SDL; EnvironmentProblem where it is none."""
    failed = result < 0 if isinstance(result, int) else not result
    if failed:
        raise EnvironmentProblem(
            f"SDL cannot {doing}: {last_error()}",
            hint="Is a display there (DISPLAY, WAYLAND_DISPLAY)? Without one use --headless.",
        )
    return result


def set_hint(name: str, value: str) -> None:
    """Set one of SDL's hints, before what it concerns begins."""
    sdl().SDL_SetHint(name.encode(), value.encode())


def pointer(value: Any) -> Any:
    """Pass a structure by reference."""
    return ctypes.byref(value)
