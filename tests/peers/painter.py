"""A Wayland client that draws the test card's barcode, full screen, a frame for each frame callback.

``python painter.py [--still] [--pause S]``, on the display that the environment names. It prints a line for each mode
that its output tells, for each size that it is given, and for the first frame. With ``--still`` it draws once for each
size, with ``--pause`` it waits before each frame: for compositors on an emulated processor.
"""

import argparse
import mmap
import os
import sys
import time
from collections import deque
from typing import Any

import numpy as np
from pywayland.client import Display
from pywayland.protocol.wayland import WlCompositor, WlOutput, WlSeat, WlShm
from pywayland.protocol.xdg_shell import XdgWmBase

from punktfunk.realtime.capture import barcode
from punktfunk.realtime.capture.testcard import draw_background

XRGB8888 = 1
BUFFER_COUNT = 3
STEP_PX = 8
VERSIONS = {"wl_compositor": 4, "wl_shm": 1, "wl_seat": 1, "wl_output": 2, "xdg_wm_base": 1}
INTERFACES = (WlCompositor, WlShm, WlSeat, WlOutput, XdgWmBase)


def say(*words: object) -> None:
    print(*words, flush=True)


class Painter:
    def __init__(self, *, still: bool, pause_s: float) -> None:
        self.still = still
        self.pause_s = pause_s
        self.pointer: Any = None
        self.mode = self.asked = self.size = (0, 0)
        self.buffers: list[Any] = []
        self.free: deque[tuple[Any, np.ndarray]] = deque()
        self.callbacks: set[Any] = set()
        self.number = 0
        self.waiting = False
        self.display = Display()
        self.display.connect()
        self.globals: dict[str, Any] = {}
        # pywayland destroys what nobody refers to, and then its events are lost: hence all these attributes.
        self.registry = self.display.get_registry()
        self.registry.dispatcher["global"] = self.on_global
        self.display.roundtrip()
        self.globals["wl_output"].dispatcher["mode"] = self.on_mode
        self.globals["xdg_wm_base"].dispatcher["ping"] = lambda base, serial: base.pong(serial)
        self.globals["wl_seat"].dispatcher["capabilities"] = self.on_seat
        self.display.roundtrip()  # brings the mode
        self.surface = self.globals["wl_compositor"].create_surface()
        self.shell_surface = self.globals["xdg_wm_base"].get_xdg_surface(self.surface)
        self.window = self.shell_surface.get_toplevel()
        self.shell_surface.dispatcher["configure"] = self.on_configure
        self.window.dispatcher["configure"] = self.on_size
        self.window.dispatcher["close"] = lambda _window: sys.exit(0)
        self.window.set_title("painter")
        self.window.set_fullscreen(None)
        self.surface.commit()

    def on_global(self, registry: Any, name: int, interface: str, version: int) -> None:
        kind = next((k for k in INTERFACES if k.name == interface), None)
        if kind is not None and interface not in self.globals:
            self.globals[interface] = registry.bind(name, kind, min(version, VERSIONS[interface]))

    def on_mode(self, _output: Any, flags: int, width: int, height: int, refresh: int) -> None:
        if flags & 1:
            self.mode = (width, height)
            say("mode", f"{width}x{height}", refresh)

    def on_seat(self, seat: Any, capabilities: int) -> None:
        if capabilities & 1 and self.pointer is None:
            self.pointer = seat.get_pointer()
            # The compositor would draw its cursor into the picture.
            self.pointer.dispatcher["enter"] = lambda pointer, serial, *_: pointer.set_cursor(
                serial, None, 0, 0
            )

    def on_size(self, _window: Any, width: int, height: int, _states: Any) -> None:
        self.asked = (width, height)  # 0, 0: as the client likes

    def on_configure(self, surface: Any, serial: int) -> None:
        surface.ack_configure(serial)
        wanted = self.asked if all(self.asked) else self.size if all(self.size) else self.mode
        if wanted != self.size:
            self.size = wanted
            say("size", "x".join(map(str, self.size)))
            self.make_buffers(*self.size)
            self.paint()

    def make_buffers(self, width: int, height: int) -> None:
        self.background = draw_background(width, height)
        length = width * height * 4
        handle = os.memfd_create("painter")
        os.ftruncate(handle, length * BUFFER_COUNT)
        words = np.frombuffer(mmap.mmap(handle, length * BUFFER_COUNT), np.uint32)
        pool = self.globals["wl_shm"].create_pool(handle, length * BUFFER_COUNT)
        self.free.clear()
        for index in range(BUFFER_COUNT):
            buffer = pool.create_buffer(index * length, width, height, width * 4, XRGB8888)
            pixels = words[index * width * height :][: width * height].reshape(height, width)
            pixels[:] = self.background
            buffer.dispatcher["release"] = lambda buffer, pixels=pixels: self.on_release(buffer, pixels)
            self.buffers.append(buffer)
            self.free.append((buffer, pixels))
        pool.destroy()
        os.close(handle)

    def on_release(self, buffer: Any, pixels: np.ndarray) -> None:
        if pixels.shape[::-1] != self.size:
            self.buffers.remove(buffer)
            buffer.destroy()
            return
        self.free.append((buffer, pixels))
        if self.waiting:
            self.paint()

    def on_frame(self, callback: Any, _time_ms: int) -> None:
        self.callbacks.discard(callback)
        if not self.callbacks:  # a new size begins a second chain
            time.sleep(self.pause_s)
            self.paint()

    def paint(self) -> None:
        self.waiting = not self.free
        if self.waiting:
            return
        buffer, pixels = self.free.popleft()
        height, width = pixels.shape
        top, left = height * 3 // 4, self.number * STEP_PX % width
        pixels[top:] = self.background[top:]
        pixels[top:, left : left + STEP_PX] = 0xFFFFFF
        barcode.draw(pixels, barcode.Stamp(self.number, time.monotonic_ns()))
        self.surface.attach(buffer, 0, 0)
        if self.number:
            code = barcode.MAX_CELL_PX * (barcode.ROW_COUNT + 2)
            self.surface.damage_buffer(0, 0, width, code)
            self.surface.damage_buffer(0, top, width, height - top)
        else:
            self.surface.damage_buffer(0, 0, width, height)
            say("painting")
        self.number += 1
        if not self.still:
            callback = self.surface.frame()
            callback.dispatcher["done"] = self.on_frame
            self.callbacks.add(callback)
        self.surface.commit()

    def run(self) -> None:
        while self.display.dispatch(block=True) >= 0:
            self.display.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    asked = parser.parse_args()
    Painter(still=asked.still, pause_s=asked.pause).run()
