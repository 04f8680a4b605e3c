"""A KWin of protocols only, for tests: runs as a child, obeys lines.

    state        print what is: outputs, casts, input, as one line of JSON
    forget       forget the input so far
    close        end every cast from our side
    order A B    rank the outputs
    quit

Started with a socket path and a table of what kind of KWin it is (``OPTIONS``). Like KWin it calls an output
"Virtual-" and the name it was given, removes it with the stream that it was made for, and says ``done`` after
changes.
"""

import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pywayland.protocol.wayland import WlOutput, WlSeat
from pywayland.server import Display

sys.path.append(str(Path(__file__).resolve().parents[2]))  # it is run as a program

from wayland_server import offer, post_new, serve, take_away

from punktfunk.wire.wayland.fake_input import OrgKdeKwinFakeInput
from punktfunk.wire.wayland.kde_output_device_v2 import (
    KdeOutputDeviceModeV2,
    KdeOutputDeviceRegistryV2,
    KdeOutputDeviceV2,
)
from punktfunk.wire.wayland.kde_output_management_v2 import (
    KdeModeListV2,
    KdeOutputConfigurationV2,
    KdeOutputManagementV2,
)
from punktfunk.wire.wayland.kde_output_order_v1 import KdeOutputOrderV1
from punktfunk.wire.wayland.zkde_screencast_unstable_v1 import (
    ZkdeScreencastStreamUnstableV1,
    ZkdeScreencastUnstableV1,
)

OPTIONS = {
    "screencast": 6,  # version; 0: the global is not there
    "device": 23,  # from 21 on by the registry, before as one global each
    "management": 21,
    "fake_input": 6,
    "cvt": False,  # times custom modes like a monitor: widths are multiples of 8
    "refuse": "",  # what stream_virtual_output fails with
    "refuse_names": [],  # names for which it fails
    "refuse_modes": False,  # custom modes are taken and not made
    "darken": False,  # a new output makes the others go dark, as a setting stored by KWin does
    "monitors": ["DP-1"],
}
REQUESTS = (
    "pointer_motion",
    "button",
    "axis",
    "touch_down",
    "touch_motion",
    "touch_up",
    "touch_cancel",
    "touch_frame",
    "pointer_motion_absolute",
    "keyboard_key",
    "keyboard_keysym",
    "authenticate",
)


@dataclass(eq=False)
class Output:
    name: str
    modes: list[tuple[int, int, int]]
    current: tuple[int, int, int]
    x: int = 0
    y: int = 0
    enabled: bool = True
    scale: float = 1.0
    globals: list[Any] = field(default_factory=list)
    devices: list[Any] = field(default_factory=list)
    custom: list[tuple[int, int, int]] = field(default_factory=list)


class KWinDouble:
    def __init__(self, path, options):
        os.environ["XDG_RUNTIME_DIR"] = str(Path(path).parent)
        self.options = OPTIONS | options
        self.display = Display()
        self.display.add_socket(Path(path).name)
        self.outputs = []
        self.order = []
        self.orders = []
        self.registries = []
        self.streams = {}
        self.input = []
        self.configurations = []
        for place, name in enumerate(self.options["monitors"]):
            self.add_output(Output(name, [(1920, 1080, 60000)], (1920, 1080, 60000), x=1920 * place))
        offer(self.display, KdeOutputOrderV1, 1, self.bind_order)
        offer(self.display, KdeOutputManagementV2, self.options["management"], self.bind_management)
        offer(self.display, WlSeat, 5, lambda seat: seat.capabilities(0))
        if self.options["device"] >= 21:
            offer(self.display, KdeOutputDeviceRegistryV2, self.options["device"], self.bind_registry)
        if self.options["screencast"]:
            offer(self.display, ZkdeScreencastUnstableV1, self.options["screencast"], self.bind_screencast)
            offer(self.display, OrgKdeKwinFakeInput, self.options["fake_input"], self.bind_fake_input)

    # -- outputs

    def add_output(self, output):
        self.outputs.append(output)
        self.order.append(output.name)
        output.globals.append(offer(self.display, WlOutput, 4, namer(output)))
        if self.options["device"] < 21:
            bind = self.describer(output)
            output.globals.append(offer(self.display, KdeOutputDeviceV2, self.options["device"], bind))
        for registry in self.registries:
            self.announce(registry, output)
        self.tell_order()

    def remove_output(self, output):
        self.outputs.remove(output)
        self.order.remove(output.name)
        for made in output.globals:
            take_away(made)
        for device in alive(output.devices):
            if device.version >= 21:
                device.removed()
        self.tell_order()

    def bind_registry(self, registry):
        self.registries.append(registry)
        for output in self.outputs:
            self.announce(registry, output)

    def announce(self, registry, output):
        if registry._ptr is None:
            return
        device = KdeOutputDeviceV2.resource_class(registry.client, registry.version, 0)
        post_new(registry, "output", device)
        self.describer(output)(device)

    def describer(self, output):
        def describe(device):
            device.mode_objects = {}
            device.dispatcher["release"] = destroyed
            output.devices.append(device)
            if device.version >= 2:
                device.name(output.name)
            device.uuid(f"uuid-{output.name}")
            if device.version >= 18:
                device.capabilities(0x2000)
            self.describe(output, device)

        return describe

    def describe(self, output, device):
        for mode in output.modes:
            if mode not in device.mode_objects:
                made = KdeOutputDeviceModeV2.resource_class(device.client, device.version, 0)
                post_new(device, "mode", made)
                made.size(*mode[:2])
                made.refresh(mode[2])
                device.mode_objects[mode] = made
        for mode in [mode for mode in device.mode_objects if mode not in output.modes]:
            gone = device.mode_objects.pop(mode)
            gone.removed()
            gone.destroy()
        device.geometry(output.x, output.y, 300, 200, 0, "KDE", "double", 0)
        device.scale(output.scale)
        device.enabled(int(output.enabled))
        device.current_mode(device.mode_objects[output.current])
        device.done()

    def update(self):
        for output in self.outputs:
            for device in alive(output.devices):
                self.describe(output, device)
        self.tell_order()

    def bind_order(self, order):
        order.dispatcher["destroy"] = destroyed
        self.orders.append(order)
        self.tell_order()

    def tell_order(self):
        enabled = {output.name for output in self.outputs if output.enabled}
        for order in alive(self.orders):
            for name in self.order:
                if name in enabled:
                    order.output(name)
            order.done()

    # -- management

    def bind_management(self, management):
        def create_configuration(management, new_id):
            made = KdeOutputConfigurationV2.resource_class(management.client, management.version, new_id)
            self.configure(made)

        def create_mode_list(management, new_id):
            made = KdeModeListV2.resource_class(management.client, management.version, new_id)
            made.size, made.rate, made.modes = (0, 0), 0, []
            handlers = made.dispatcher
            handlers["set_resolution"] = lambda made, width, height: setattr(made, "size", (width, height))
            handlers["set_refresh_rate"] = lambda made, rate: setattr(made, "rate", rate)
            handlers["add_mode"] = lambda made: made.modes.append((*made.size, made.rate))
            handlers["destroy"] = destroyed

        management.dispatcher["create_configuration"] = create_configuration
        if management.version >= 18:
            management.dispatcher["create_mode_list"] = create_mode_list

    def configure(self, configuration):
        changes = []

        def remember(request):
            def on_request(_configuration, device, *values):
                if request == "mode":
                    values = (next(k for k, made in device.mode_objects.items() if made is values[0]),)
                elif request == "set_custom_modes":
                    values = (list(values[0].modes),)
                changes.append((request, self.owner(device), values))

            return on_request

        for request in (
            "enable",
            "mode",
            "position",
            "scale",
            "set_priority",
            "set_custom_modes",
            "set_primary_output",
            "set_replication_source",
        ):
            configuration.dispatcher[request] = remember(request)

        def apply(configuration):
            self.configurations.append(
                [(request, output.name, *values) for request, output, values in changes]
            )
            ranks = {}
            for request, output, values in changes:
                self.change(request, output, values, ranks)
            if not any(output.enabled for output in self.outputs):
                configuration.failure_reason("no output would be left")
                configuration.failed()
                return
            if ranks:
                self.order.sort(key=lambda name: ranks.get(name, 99))
            self.update()
            configuration.applied()

        configuration.dispatcher["apply"] = apply
        configuration.dispatcher["destroy"] = destroyed

    def owner(self, device):
        return next(output for output in self.outputs if device in output.devices)

    def change(self, request, output, values, ranks):
        match request, values:
            case "enable", (on,):
                output.enabled = bool(on)
            case "mode", (mode,):
                output.current = mode
            case "position", (x, y):
                output.x, output.y = x, y
            case "scale", (factor,):
                output.scale = factor
            case "set_priority", (priority,):
                ranks[output.name] = priority
            case "set_primary_output", ():
                ranks[output.name] = 0
            case "set_custom_modes", (modes,) if not self.options["refuse_modes"]:
                if self.options["cvt"]:
                    modes = [(width - width % 8, height, rate - rate % 700) for width, height, rate in modes]
                kept = [mode for mode in output.modes if mode not in output.custom or mode == output.current]
                output.custom = modes
                output.modes = list(dict.fromkeys([*kept, *modes]))

    # -- casts

    def bind_screencast(self, manager):
        def virtual(manager, new_id, name, *rest):
            description = rest[0] if isinstance(rest[0], str) else ""
            width, height, scale, pointer = rest[-4:]
            stream = self.stream(manager, new_id)
            if self.options["refuse"] or name in self.options["refuse_names"]:
                stream.failed(self.options["refuse"] or "Could not find output")
                return
            mode = (width, height, 60000)
            output = Output(f"Virtual-{name}", [mode], mode, x=max(o.x + o.current[0] for o in self.outputs))
            output.scale = scale
            self.streams[stream] = {"output": output.name, "pointer": pointer, "description": description}
            self.add_output(output)
            stream.dispatcher.destructor = lambda stream: self.end(stream, output)
            if self.options["darken"]:
                for other in self.outputs[:-1]:
                    other.enabled = False
            self.update()
            self.created(stream, 44)

        def existing(manager, new_id, wl_output, pointer):
            stream = self.stream(manager, new_id)
            self.streams[stream] = {"output": wl_output.output_name, "pointer": pointer, "description": ""}
            stream.dispatcher.destructor = lambda stream: self.end(stream, None)
            self.created(stream, 45)

        manager.dispatcher["stream_virtual_output"] = virtual
        if manager.version >= 4:
            manager.dispatcher["stream_virtual_output_with_description"] = virtual
        manager.dispatcher["stream_output"] = existing

    def stream(self, manager, new_id):
        stream = ZkdeScreencastStreamUnstableV1.resource_class(manager.client, manager.version, new_id)
        stream.dispatcher["close"] = destroyed
        return stream

    def created(self, stream, node):
        if stream.version >= 6:
            stream.serial(1, node)
        else:
            stream.created(node)

    def end(self, stream, output):
        stream._ptr = None
        self.streams.pop(stream, None)
        if output is not None:
            self.remove_output(output)

    # -- input

    def bind_fake_input(self, fake):
        def remember(request):
            return lambda _fake, *values: self.input.append([request, *values])

        for request in REQUESTS:
            if request != "keyboard_keysym" or fake.version >= 6:
                fake.dispatcher[request] = remember(request)
        fake.dispatcher["destroy"] = destroyed

    # -- lines

    def obey(self, line):
        word, *rest = line.split()
        if word == "state":
            outputs = {
                output.name: {
                    "mode": output.current,
                    "place": [output.x, output.y],
                    "enabled": output.enabled,
                    "scale": output.scale,
                }
                for output in self.outputs
            }
            said = {"outputs": outputs, "order": self.order, "streams": list(self.streams.values())}
            print(json.dumps({**said, "input": self.input, "applied": self.configurations}), flush=True)
        elif word == "forget":
            self.input.clear()
        elif word == "close":
            for stream in list(self.streams):
                stream.closed()
        elif word == "order":
            self.order = rest
            self.tell_order()
        return word != "quit"


def namer(output):
    def on_bind(resource):
        resource.output_name = output.name
        resource.name(output.name)
        resource.mode(1, *output.current)
        resource.done()

    return on_bind


def destroyed(resource, *_rest):
    resource.destroy()


def alive(resources):
    resources[:] = [resource for resource in resources if resource._ptr is not None]
    return list(resources)


def fork_for_each():
    """Start a double for each request on standard input, a socket that brings the socket to obey.

    Python and the bindings take half a second to load, a fork none.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=0) as requests:
        while True:
            data, handles, _flags, _address = socket.recv_fds(requests, 65536, 1)
            if not data:
                return
            if os.fork() == 0:
                os.dup2(handles[0], 0)
                os.dup2(handles[0], 1)
                request = json.loads(data)
                double = KWinDouble(request["path"], request["options"])
                print(os.getpid(), flush=True)
                serve(double.display, double.obey)
            os.close(handles[0])


if __name__ == "__main__":
    fork_for_each()
