"""Tell sway to which output our devices belong, and find out whether it reads the kernel's devices at all.

A sway without a seat, as we start them, reads none: then the devices would do nothing.
"""

from collections.abc import Sequence
from typing import Final

import trio

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.displays.sway_ipc import Kind, connect_sway, parse_inputs
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.wire.evdev.uinput import DeviceSpec

APPEARS_S: Final = 1.0


def sway_name(spec: DeviceSpec) -> str:
    """Name a device as sway does (sway-input(5): vendor, product, name without blanks)."""
    return f"{spec.vendor}:{spec.product}:{spec.name.replace(' ', '_')}"


async def map_devices(output: VirtualOutput, specs: Sequence[DeviceSpec]) -> bool:
    """Map devices to the output; False if this is no sway, or one that does not see them."""
    if output.ipc_socket_path is None:
        await trio.lowlevel.checkpoint()
        return False
    wanted = {sway_name(spec) for spec in specs}
    try:
        async with connect_sway(output.ipc_socket_path) as ipc:

            async def are_there() -> bool:
                return wanted <= parse_inputs(await ipc.request(Kind.GET_INPUTS))

            if not await wait_until(are_there, APPEARS_S):
                return False
            for name in sorted(wanted):
                await ipc.run(f'input "{name}" map_to_output {output.name}')
    except (EnvironmentProblem, RemoteProtocolError):
        return False
    return True
