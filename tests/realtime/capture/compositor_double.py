"""A compositor that has one output and two copy protocols, for tests: runs as a child, obeys lines on stdin.

    fill X Y W H VALUE   paint, which is damage and completes a waiting copy
    resize W H           another mode: a waiting copy fails
    invert               copies lie upside down from now on
    refuse N             the next N copies fail
    stop                 end the capture session (ext only)
    remove               the output goes away
    quit

It copies no more than the protocol asks it to: with ext-image-copy-capture only the frame's damage and what the
client called stale, so a client that keeps its books wrong shows old pixels.
"""

import json
import mmap
import os
import sys
import time
from pathlib import Path

import numpy as np
from pywayland.protocol.ext_image_capture_source_v1 import (
    ExtImageCaptureSourceV1,
    ExtOutputImageCaptureSourceManagerV1,
)
from pywayland.protocol.ext_image_copy_capture_v1 import (
    ExtImageCopyCaptureFrameV1,
    ExtImageCopyCaptureManagerV1,
    ExtImageCopyCaptureSessionV1,
)
from pywayland.protocol.wayland import WlBuffer, WlOutput, WlShm, WlShmPool
from pywayland.server import Display

sys.path.append(str(Path(__file__).resolve().parents[2]))  # it is run as a program

from wayland_server import offer, serve, take_away

from punktfunk.wire.wayland.wlr_screencopy_unstable_v1 import ZwlrScreencopyFrameV1, ZwlrScreencopyManagerV1


class Double:
    def __init__(self, path, protocol, width, height):
        os.environ["XDG_RUNTIME_DIR"] = str(Path(path).parent)
        self.display = Display()
        self.display.add_socket(Path(path).name)
        self.screen = np.arange(width * height, dtype=np.uint32).reshape(height, width)
        self.inverted = False
        self.refusals = 0
        self.session = self.waiting = None
        self.damage = [(0, 0, width, height)]
        self.globals = []
        self.offer(WlOutput, 4, lambda resource: resource.name("DOUBLE-1"))
        self.offer(WlShm, 1, self.bind_shm)
        if protocol == "ext":
            self.offer(ExtOutputImageCaptureSourceManagerV1, 1, self.bind_source)
            self.offer(ExtImageCopyCaptureManagerV1, 1, self.bind_ext)
        elif protocol == "wlr":
            self.offer(ZwlrScreencopyManagerV1, 3, self.bind_wlr)

    def offer(self, interface, version, bind):
        self.globals.append(offer(self.display, interface, version, bind))

    def bind_shm(self, resource):
        resource.format(0)
        resource.format(1)

        def create_pool(shm, new_id, fd, size):
            pool = WlShmPool.resource_class(shm.client, shm.version, new_id)
            memory = mmap.mmap(fd, size)
            os.close(fd)

            def create_buffer(pool, new_id, offset, width, height, stride, _format):
                buffer = WlBuffer.resource_class(pool.client, 1, new_id)
                words = np.frombuffer(memory, np.uint32, stride // 4 * height, offset)
                buffer.words = words.reshape(height, stride // 4)[:, :width]

            pool.dispatcher["create_buffer"] = create_buffer

        resource.dispatcher["create_pool"] = create_pool

    def bind_source(self, resource):
        def create_source(manager, new_id, _output):
            ExtImageCaptureSourceV1.resource_class(manager.client, 1, new_id)

        resource.dispatcher["create_source"] = create_source

    def bind_ext(self, resource):
        def create_session(manager, new_id, _source, _options):
            self.session = ExtImageCopyCaptureSessionV1.resource_class(manager.client, 1, new_id)
            self.session.dispatcher["create_frame"] = create_frame
            self.announce()

        def create_frame(session, new_id):
            frame = ExtImageCopyCaptureFrameV1.resource_class(session.client, 1, new_id)
            frame.stale, frame.target = [], None

            def attach_buffer(frame, buffer):
                frame.target = buffer

            def damage_buffer(frame, *rectangle):
                frame.stale.append(rectangle)

            frame.dispatcher["attach_buffer"] = attach_buffer
            frame.dispatcher["damage_buffer"] = damage_buffer
            frame.dispatcher["capture"] = self.capture

        resource.dispatcher["create_session"] = create_session

    def announce(self):
        height, width = self.screen.shape
        self.session.buffer_size(width, height)
        self.session.shm_format(1)
        self.session.done()

    def bind_wlr(self, resource):
        def capture_output(manager, new_id, _cursor, _output):
            frame = ZwlrScreencopyFrameV1.resource_class(manager.client, manager.version, new_id)
            height, width = self.screen.shape
            # Eight bytes of padding in each line: a client must not take the stride for granted.
            frame.buffer(1, width, height, width * 4 + 8)
            frame.buffer_done()

            def copy(frame, buffer):
                self.damage = [(0, 0, width, height)]
                frame.stale, frame.target = [], buffer
                self.capture(frame)

            def copy_with_damage(frame, buffer):
                frame.stale, frame.target = [(0, 0, width, height)], buffer
                self.capture(frame)

            frame.dispatcher["copy"] = copy
            frame.dispatcher["copy_with_damage"] = copy_with_damage

        resource.dispatcher["capture_output"] = capture_output

    def capture(self, frame):
        self.waiting = frame
        self.complete()

    def target(self, frame):
        return frame.target if isinstance(frame, ZwlrScreencopyFrameV1.resource_class) else frame.buffer

    def complete(self):
        frame = self.waiting
        if frame is None or not self.damage:
            return
        self.waiting = None
        ext = isinstance(frame, ExtImageCopyCaptureFrameV1.resource_class)
        words = frame.target.words
        if self.refusals or words.shape != self.screen.shape:
            self.refusals = max(0, self.refusals - 1)
            frame.failed(1) if ext else frame.failed()
            return
        picture = self.screen[::-1] if self.inverted else self.screen
        areas = [(0, 0, *reversed(words.shape))] if self.inverted else self.damage + frame.stale
        for x, y, width, height in areas:
            words[y : y + height, x : x + width] = picture[y : y + height, x : x + width]
        seconds, nanoseconds = divmod(time.monotonic_ns(), 1_000_000_000)
        if ext:
            frame.transform(6 if self.inverted else 0)
            for rectangle in self.damage:
                frame.damage(*rectangle)
            frame.presentation_time(0, seconds, nanoseconds)
            frame.ready()
        else:
            frame.flags(int(self.inverted))
            frame.ready(0, seconds, nanoseconds)
        print(json.dumps({"stale": frame.stale}), flush=True)
        self.damage = []

    def obey(self, line):
        word, *numbers = line.split()
        values = [int(number) for number in numbers]
        if word == "fill":
            x, y, width, height, value = values
            self.screen[y : y + height, x : x + width] = value
            self.damage.append((x, y, width, height))
        elif word == "resize":
            self.screen = np.arange(values[0] * values[1], dtype=np.uint32).reshape(values[1], values[0])
            self.damage = [(0, 0, *values)]
            if self.session is not None:
                self.announce()
        elif word == "invert":
            self.inverted = True
            self.damage = [(0, 0, *reversed(self.screen.shape))]
        elif word == "refuse":
            self.refusals = values[0]
            self.damage = [(0, 0, *reversed(self.screen.shape))]
        elif word == "stop":
            self.session.stopped()
        elif word == "remove":
            take_away(self.globals[0])
        elif word == "quit":
            return False
        self.complete()
        return True

    def run(self):
        serve(self.display, self.obey)


if __name__ == "__main__":
    path, protocol, width, height = sys.argv[1:]
    Double(path, protocol, int(width), int(height)).run()
