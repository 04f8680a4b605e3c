"""The client's window: SDL on the main thread, Trio in another, pictures from pf-decode.

``run_window`` is the way in; see ``run``. Importing this package does not load SDL.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from punktfunk.control.client.window.options import WindowOptions as WindowOptions
    from punktfunk.control.client.window.run import run_window as run_window

__all__ = ["WindowOptions", "run_window"]


def __getattr__(name: str) -> Any:
    if name == "run_window":
        from punktfunk.control.client.window.run import run_window

        return run_window
    if name == "WindowOptions":
        from punktfunk.control.client.window.options import WindowOptions

        return WindowOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
