"""What compositor doubles are made of: pywayland's server side, put right.

pywayland 0.4.19 cannot receive requests as a server: it hands libwayland no implementation pointer to find the
object by, and reads new ids and objects as a client would. All of that is corrected here, in the process that
imports this module only. A resource whose client has gone has no ``_ptr`` any more.
"""

import os

from pywayland import ffi, lib
from pywayland.dispatcher import Dispatcher
from pywayland.protocol_core import ArgumentType, Resource
from pywayland.protocol_core.message import Message
from pywayland.server import EventLoop

KEPT = []  # libwayland holds handles to all of them


def _init(self, client, version=None, new_id=0):
    self.version = version or self.interface.version
    self.dispatcher = Dispatcher(self.interface.requests, destructor=True)
    self.dispatcher.destructor = _forget
    self.client = client
    self._ptr = lib.wl_resource_create(client, self.interface._ptr, self.version, new_id)
    self._handle = ffi.new_handle(self)
    lib.wl_resource_set_dispatcher(
        self._ptr, lib.dispatcher_func, self._handle, self._handle, lib.resource_destroy_func
    )
    KEPT.append(self)


def _forget(resource):
    resource._ptr = None


def _destroy(self):
    if self._ptr is not None:
        lib.wl_resource_destroy(self._ptr)  # which calls _forget


def _arguments(self, args):
    return [_value(argument, args[place]) for place, argument in enumerate(self.arguments)]


def _value(argument, value):
    match argument.argument_type:
        case ArgumentType.Object:
            if value.o == ffi.NULL:
                return None
            resource = ffi.cast("struct wl_resource *", value.o)
            return ffi.from_handle(lib.wl_resource_get_user_data(resource))
        case ArgumentType.NewId:
            return value.n
        case ArgumentType.FileDescriptor:
            return value.h
        case ArgumentType.String:
            return None if value.s == ffi.NULL else ffi.string(value.s).decode()
        case ArgumentType.Fixed:
            return lib.wl_fixed_to_double(value.f)
        case ArgumentType.Int:
            return value.i
    return value.u


Resource.__init__ = _init
Resource.destroy = _destroy
Message.c_to_arguments = _arguments


def post_new(resource, event, child):
    """Send an event that brings a new object, which pywayland cannot."""
    opcode = next(code for code, message in enumerate(resource.interface.events) if message.name == event)
    args = ffi.new("union wl_argument []", 1)
    args[0].o = ffi.cast("struct wl_object *", child._ptr)
    lib.wl_resource_post_event_array(resource._ptr, opcode, args)


def offer(display, interface, version, bind):
    made = interface.global_class(display, version)
    made.bind_func = bind
    KEPT.append(made)
    return made


def take_away(made):
    lib.wl_global_destroy(made._ptr)


def serve(display, obey):
    """Dispatch until a line from standard input makes ``obey`` return False, or input ends."""
    loop = display.get_event_loop()
    running = [True]

    def on_line(_fd, _mask, _data):
        data = os.read(0, 65536)
        for line in data.decode().splitlines() if data else ["quit"]:
            if obey(line) is False:
                running[0] = False
        return 0

    source = loop.add_fd(0, on_line, EventLoop.FdMask.WL_EVENT_READABLE, None)
    print("listening", flush=True)
    while running[0]:
        display.flush_clients()
        loop.dispatch(1000)
    source.remove()
    os._exit(0)  # the interpreter's own end would tear the library down in the wrong order
