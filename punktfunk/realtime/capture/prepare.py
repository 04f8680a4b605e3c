"""A first consumer for video nodes that make what they show only when somebody agrees on a format with them.

Mutter makes the monitor of a cast in the size and at the rate of the first agreement, and keeps it when that
consumer leaves (meta-screen-cast-virtual-stream-src.c, ensure_virtual_monitor). So the display exists before
anything is started on it, and pf-capture joins later.
"""

from dataclasses import replace

from punktfunk.plan import Mode, PipeWireSource
from punktfunk.realtime.capture.pipewire import PipeWireCapture
from punktfunk.realtime.pipewire.core import Core
from punktfunk.realtime.pipewire.loop import Loop

LINK = "PipeWire:Interface:Link"


def settle_source(source: PipeWireSource, timeout_ns: int) -> Mode:
    """Agree on a format with the node, take no picture, leave, and return the mode that was agreed on.

    Blocks. EnvironmentProblem if nothing is agreed on in time.
    """
    capture = PipeWireCapture(source)
    try:
        capture.open()
        settled = capture.settle(timeout_ns)
    finally:
        capture.close()
    mode = replace(source.mode, width_px=settled.width_px, height_px=settled.height_px)
    rate = settled.rate_millihertz
    return replace(mode, refresh_millihertz=rate) if rate else mode


def source_is_used(source: PipeWireSource) -> bool:
    """Tell whether somebody takes pictures of the node now: its format is then fixed for others.

    Blocks for a round trip. EnvironmentProblem if PipeWire does not answer.
    """
    with Loop() as loop, Core(loop, source.remote, source.remote_fd) as core:
        core.watch()
        core.roundtrip()
        return any(
            known.type == LINK and known.properties.get("link.output.node") == str(source.target)
            for known in core.globals.values()
        )
