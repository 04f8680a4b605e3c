"""A stand-in for gamescope: its log lines, a real PipeWire node with the test card's barcode, its Wayland socket.

Started as ``gamescope`` would be; ``install`` puts it into a folder for PATH. PUNKTFUNK_DOUBLE names what it does
wrong: "old" (no headless backend), "no-gpu" (ends as without Vulkan), "mute" (never tells its node).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
USAGE = "usage: gamescope [options...] -- [command...]\n  -W, --output-width  output width\n"
BACKEND = "  --backend  select rendering backend\n             headless => use headless backend\n"


def install(folder: Path) -> Path:
    """Put it into a folder as the program gamescope; return the folder."""
    program = folder / "gamescope"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -B "{Path(__file__).resolve()}" "$@"\n')
    program.chmod(0o755)
    return folder


def log(scope: str, text: str) -> None:
    print(f"[\033[0;34mInfo\033[0m]  \033[0;37m{scope}:\033[0m {text}", flush=True)


def size_of(words: list[str]) -> tuple[int, int, int]:
    return tuple(int(words[words.index(flag) + 1]) for flag in ("-W", "-H", "-r"))


def free_display(folder: Path) -> str:
    return next(f"gamescope-{n}" for n in range(10) if not (folder / f"gamescope-{n}").exists())


class Screen:
    """The Wayland socket: the node's number, and one output."""

    def __init__(self, name: str, node_id: int, mode: tuple[int, int, int]) -> None:
        sys.path.append(str(HERE))
        from pywayland.protocol.wayland import WlOutput
        from pywayland.server import Display
        from wayland_server import offer

        from punktfunk.wire.wayland.gamescope_pipewire import GamescopePipewire

        width, height, hertz = mode

        def show(output):
            output.mode(1, width, height, hertz * 1000)
            output.done()

        self.display = Display()
        self.display.add_socket(name)
        offer(self.display, GamescopePipewire, 1, lambda bound: bound.stream_node(node_id))
        offer(self.display, WlOutput, 4, show)

    def serve(self, running) -> None:
        loop = self.display.get_event_loop()
        while running():
            self.display.flush_clients()
            loop.dispatch(50)


def paint(node, ended: threading.Event, hertz: int) -> None:
    """Show the test card's barcode as long as somebody looks."""
    from punktfunk.realtime.capture import barcode
    from punktfunk.realtime.capture.testcard import draw_background

    number, pixels = 0, None
    while not ended.wait(1 / hertz):
        if node.states and node.states[-1].name == "STREAMING":
            number += 1
            pixels = draw_background(node.width, node.height) if pixels is None else pixels
            barcode.draw(pixels, barcode.Stamp(number, time.monotonic_ns()))
            node.show(pixels)


def run(words: list[str], child: list[str]) -> int:
    from video_node import VideoNode

    mode = width, height, hertz = size_of(words)
    folder = Path(os.environ["XDG_RUNTIME_DIR"])
    display = free_display(folder)
    log("wlserver", f"Running compositor on wayland display '{display}'")
    log("wlserver", "Successfully initialized libei for input emulation!")
    inside = {"DISPLAY": ":9", "GAMESCOPE_WAYLAND_DISPLAY": display, "WAYLAND_DISPLAY": display}
    ended = threading.Event()
    with VideoNode(str(folder / "pipewire-0"), (width, height), name="gamescope", rate=1000) as node:
        screen = Screen(display, node.node_id, mode)
        if os.environ.get("PUNKTFUNK_DOUBLE") != "mute":
            log("pipewire", f"stream available on node ID: {node.node_id}")
        environment = {**os.environ, **inside, "LIBEI_SOCKET": f"{display}-ei"}
        process = subprocess.Popen(child, env=environment) if child else None
        painter = threading.Thread(target=paint, args=(node, ended, hertz))
        painter.start()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        screen.serve(lambda: not ended.is_set() and (process is None or process.poll() is None))
        ended.set()
        painter.join()
        if process is not None:
            process.terminate()
            process.wait()
    for name in (display, f"{display}.lock"):
        (folder / name).unlink(missing_ok=True)
    os._exit(0)  # the interpreter's own end would tear libwayland down in the wrong order


def main() -> int:
    words, fault = sys.argv[1:], os.environ.get("PUNKTFUNK_DOUBLE", "")
    if "--help" in words:
        print(USAGE + ("" if fault == "old" else BACKEND), file=sys.stderr)
        return 0
    if fault == "no-gpu":
        print("[Error] vulkan: failed to find physical device", flush=True)
        return 1
    cut = words.index("--") if "--" in words else len(words)
    return run(words[:cut], words[cut + 1 :])


if __name__ == "__main__":
    sys.exit(main())
