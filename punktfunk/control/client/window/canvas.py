"""The SDL window, its renderer and its textures: a picture, panels of text over it, and the swap.

For the main thread only. Pictures go to the renderer as the planes that the decoder wrote; the renderer
converts colours (on the GPU where it has one), Python touches no pixel.
"""

import ctypes
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from punktfunk.control.client.window.geometry import Box, fit
from punktfunk.control.client.window.options import WindowOptions
from punktfunk.control.client.window.sdl import last_error, need, pointer, sdl, set_hint
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import ColourSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMMED: Final = 90
"""Brightness of 255 of the last picture while there is no connection."""

GL_RENDERER: Final = 0x1F01
EMULATORS: Final = (b"llvmpipe", b"softpipe", b"swiftshader", b"software")

YUV_FULL_BT601, YUV_BT601, YUV_BT709 = 0, 1, 2
"""SDL_YUV_CONVERSION_MODE (SDL_surface.h); the binding does not hand its names on."""


@dataclass(slots=True)
class Panel:
    """A block of text as a texture, and where it stands."""

    texture: Any
    width_px: int
    height_px: int


class Canvas:
    """One window. EnvironmentProblem if SDL cannot open it; to be closed by the thread that made it."""

    def __init__(self, options: WindowOptions) -> None:
        lib = sdl()
        set_hint("SDL_RENDER_SCALE_QUALITY", "linear")
        set_hint("SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR", "0")
        # SDL's own renderer would send each finished picture through the very OpenGL that it replaces.
        set_hint("SDL_FRAMEBUFFER_ACCELERATION", "0")
        if options.renderer:
            set_hint("SDL_RENDER_DRIVER", options.renderer)
        flags = lib.SDL_WINDOW_RESIZABLE | lib.SDL_WINDOW_ALLOW_HIGHDPI
        if options.fullscreen:
            flags |= lib.SDL_WINDOW_FULLSCREEN_DESKTOP
        middle = lib.SDL_WINDOWPOS_CENTERED
        title = options.title.encode()
        self._window = need(
            lib.SDL_CreateWindow(title, middle, middle, options.width_px, options.height_px, flags),
            "open a window",
        )
        self._renderer = _open_renderer(self._window, vsync=options.vsync)
        self._picture: Any = None
        self._picture_kind: tuple[str, int, int] | None = None
        self._panels: dict[str, Panel] = {}

    def close(self) -> None:
        """Give window, renderer and textures back."""
        lib = sdl()
        lib.SDL_DestroyRenderer(self._renderer)  # and its textures
        lib.SDL_DestroyWindow(self._window)

    @property
    def renderer_name(self) -> str:
        """What draws: ``opengl``, ``metal``, ``direct3d11``, ``software``..."""
        return _name_of(self._renderer)

    @property
    def refresh_hz(self) -> float:
        """Refresh rate of the display that the window is on; 0 if SDL does not know."""
        lib = sdl()
        mode = lib.SDL_DisplayMode()
        index = max(0, lib.SDL_GetWindowDisplayIndex(self._window))
        return float(mode.refresh_rate) if not lib.SDL_GetCurrentDisplayMode(index, pointer(mode)) else 0.0

    @property
    def size_px(self) -> tuple[int, int]:
        """Size of what is drawn on, in pixels of the display."""
        width, height = ctypes.c_int(), ctypes.c_int()
        sdl().SDL_GetRendererOutputSize(self._renderer, pointer(width), pointer(height))
        return width.value, height.value

    @property
    def scale(self) -> float:
        """Pixels per unit of SDL's mouse positions: 2.0 on many laptops."""
        width, height = ctypes.c_int(), ctypes.c_int()
        sdl().SDL_GetWindowSize(self._window, pointer(width), pointer(height))
        return self.size_px[0] / max(1, width.value)

    @property
    def fullscreen(self) -> bool:
        """Whether the window covers its display."""
        lib = sdl()
        return bool(lib.SDL_GetWindowFlags(self._window) & lib.SDL_WINDOW_FULLSCREEN)

    def set_fullscreen(self, *, on: bool) -> None:
        """Cover the display, without changing its mode, or be a window again."""
        lib = sdl()
        lib.SDL_SetWindowFullscreen(self._window, lib.SDL_WINDOW_FULLSCREEN_DESKTOP if on else 0)

    def set_title(self, title: str) -> None:
        """Change the text of the title bar."""
        sdl().SDL_SetWindowTitle(self._window, title.encode())

    def grab(self, *, on: bool, relative: bool) -> None:
        """Take keyboard and pointer from the desktop, or give them back. ``relative`` hides the pointer."""
        lib = sdl()
        lib.SDL_SetRelativeMouseMode(lib.SDL_TRUE if on and relative else lib.SDL_FALSE)
        lib.SDL_SetWindowKeyboardGrab(self._window, lib.SDL_TRUE if on else lib.SDL_FALSE)
        lib.SDL_SetWindowMouseGrab(self._window, lib.SDL_TRUE if on else lib.SDL_FALSE)

    def set_colours(self, space: ColourSpace, *, full_range: bool) -> None:
        """Say how luma and chroma of the coming pictures are meant. SDL knows full range of BT.601 only."""
        narrow = YUV_BT601 if space is ColourSpace.BT601 else YUV_BT709
        mode = YUV_FULL_BT601 if full_range and space is ColourSpace.BT601 else narrow
        sdl().SDL_SetYUVConversionMode(mode)
        self._drop_picture()

    def upload(self, frame: Any) -> None:
        """Bring a decoded picture (yuv420p or nv12) to the renderer."""
        lib = sdl()
        kind = ("nv12" if frame.format.name == "nv12" else "iyuv", frame.width, frame.height)
        if kind != self._picture_kind:
            self._drop_picture()
            pixel_format = lib.SDL_PIXELFORMAT_NV12 if kind[0] == "nv12" else lib.SDL_PIXELFORMAT_IYUV
            self._picture = need(
                lib.SDL_CreateTexture(
                    self._renderer, pixel_format, lib.SDL_TEXTUREACCESS_STREAMING, kind[1], kind[2]
                ),
                f"make a texture of {kind[1]} x {kind[2]} pixels",
            )
            self._picture_kind = kind
        planes: list[Any] = []
        for plane in frame.planes:
            planes += [ctypes.cast(plane.buffer_ptr, ctypes.POINTER(ctypes.c_uint8)), plane.line_size]
        update = lib.SDL_UpdateNVTexture if kind[0] == "nv12" else lib.SDL_UpdateYUVTexture
        if update(self._picture, None, *planes):
            raise EnvironmentProblem(f"SDL cannot upload a picture: {last_error()}")

    def lost(self) -> None:
        """Forget the textures: the renderer has lost what was in them."""
        self._drop_picture()

    def set_panel(self, name: str, pixels: "NDArray[np.uint8] | None") -> None:
        """Make, change or, with None, remove a panel: (height, width, 4) RGBA."""
        lib = sdl()
        old = self._panels.pop(name, None)
        if old is not None:
            lib.SDL_DestroyTexture(old.texture)
        if pixels is None:
            return
        height_px, width_px = pixels.shape[:2]
        texture = need(
            lib.SDL_CreateTexture(
                self._renderer, lib.SDL_PIXELFORMAT_RGBA32, lib.SDL_TEXTUREACCESS_STATIC, width_px, height_px
            ),
            "make a texture for text",
        )
        lib.SDL_SetTextureBlendMode(texture, lib.SDL_BLENDMODE_BLEND)
        lib.SDL_UpdateTexture(texture, None, pixels.ctypes.data_as(ctypes.c_void_p), width_px * 4)
        self._panels[name] = Panel(texture, width_px, height_px)

    def picture_box(self) -> Box:
        """Where the picture stands, in pixels of the window; the whole window while there is none."""
        size_px = self.size_px
        return fit(self._picture_kind[1:], size_px) if self._picture_kind else Box(0, 0, *size_px)

    def draw(self, *, dimmed: bool) -> None:
        """Draw everything; it is seen after the next ``swap``."""
        lib = sdl()
        lib.SDL_SetRenderDrawColor(self._renderer, 0, 0, 0, 255)
        lib.SDL_RenderClear(self._renderer)
        if self._picture is not None:
            shade = DIMMED if dimmed else 255
            lib.SDL_SetTextureColorMod(self._picture, shade, shade, shade)
            self._copy(self._picture, self.picture_box())
        width_px, height_px = self.size_px
        for name, panel in self._panels.items():
            x, y = 12, 12
            if name == "message":
                x, y = (width_px - panel.width_px) // 2, (height_px - panel.height_px) // 2
            elif name == "notice":
                x, y = (width_px - panel.width_px) // 2, height_px - panel.height_px - 24
            self._copy(panel.texture, Box(x, y, panel.width_px, panel.height_px))

    def swap(self) -> tuple[int, int]:
        """Show what was drawn; when it was asked for and when it was done (CLOCK_MONOTONIC)."""
        asked_ns = time.monotonic_ns()
        sdl().SDL_RenderPresent(self._renderer)
        return asked_ns, time.monotonic_ns()

    def _copy(self, texture: Any, box: Box) -> None:
        sdl().SDL_RenderCopy(self._renderer, texture, None, pointer(sdl().SDL_Rect(*box)))

    def _drop_picture(self) -> None:
        if self._picture is not None:
            sdl().SDL_DestroyTexture(self._picture)
        self._picture = self._picture_kind = None


def _open_renderer(window: Any, *, vsync: bool) -> Any:
    """Open the best renderer, with vsync if wished; a machine without GPU gets SDL's own where it can be had.

    It cannot be had on Wayland, where SDL 2 knows no other way to a window than OpenGL.
    """
    lib = sdl()
    sync = lib.SDL_RENDERER_PRESENTVSYNC if vsync else 0
    renderer = None
    for flags in (lib.SDL_RENDERER_ACCELERATED | sync, sync, 0):
        renderer = renderer or lib.SDL_CreateRenderer(window, -1, flags)
    if renderer and _is_emulated():
        lib.SDL_DestroyRenderer(renderer)
        renderer = lib.SDL_CreateRenderer(window, -1, lib.SDL_RENDERER_SOFTWARE)
        renderer = renderer or lib.SDL_CreateRenderer(window, -1, lib.SDL_RENDERER_ACCELERATED)
    need(renderer, "draw in a window")
    if _name_of(renderer) == "software":
        lib.SDL_RenderSetVSync(renderer, 0)  # SDL would only sleep: that is delay and no blank
    return renderer


def _name_of(renderer: Any) -> str:
    info = sdl().SDL_RendererInfo()
    sdl().SDL_GetRendererInfo(renderer, pointer(info))
    return str(info.name.decode())


def _is_emulated() -> bool:
    """Whether the current OpenGL context is drawn by the CPU.

    Mesa's llvmpipe took 28 ms for a 720p picture and both cores, where SDL's own renderer takes three.
    """
    address = sdl().SDL_GL_GetProcAddress(b"glGetString")
    if not address or not sdl().SDL_GL_GetCurrentContext():
        return False
    name = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_uint)(address)(GL_RENDERER)
    return any(emulator in (name or b"").lower() for emulator in EMULATORS)
