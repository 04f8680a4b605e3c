"""Nodes of sound: a sink that programs play into, a source that they record from, a stream that plays.

A node that PipeWire calls ``Audio/Sink`` is a device to every program: no null sink, no monitor, and it is
gone with its connection. The graph runs at the shortest quantum that any of its nodes asks for; ours asks
for five milliseconds and is given exactly that (``node.force-quantum``), also on virtual machines, where
21 ms are the rule. Before 0.3.82 PipeWire rounds every quantum down to a power of two: there ours asks for
the one that is nearest, as half of five milliseconds is missed often by a thread that a busy machine wakes.
Source: PipeWire, spa/param/audio/raw.h, pipewire/keys.h, modules/module-loopback.c; pipewire/context.c,
recalc_graph.
"""

import math
import re
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from punktfunk.plan import SoundNodePlan, SoundRole
from punktfunk.realtime.pipewire.core import Core
from punktfunk.realtime.pipewire.library import ffi, library_version
from punktfunk.realtime.pipewire.pod import Array, Id, ObjectType, Param, make_object
from punktfunk.realtime.pipewire.stream import Direction, Flags, Handlers, State, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punktfunk.realtime.capture.sample_ring import SampleRing

SAMPLE_BYTES: Final = 4
_FORMAT_MEDIA_TYPE, _FORMAT_MEDIA_SUBTYPE = 1, 2
_AUDIO_FORMAT, _AUDIO_RATE, _AUDIO_CHANNELS, _AUDIO_POSITION = 0x10001, 0x10003, 0x10004, 0x10005
_MEDIA_AUDIO, _SUBTYPE_RAW, _F32_LE = 1, 1, 0x11B

_MONO, _FL, _FR, _FC, _LFE, _SL, _SR, _RL, _RR = 2, 3, 4, 5, 6, 7, 8, 12, 13
POSITIONS: Final = {
    1: (_MONO,),
    2: (_FL, _FR),
    6: (_FL, _FR, _FC, _LFE, _RL, _RR),
    8: (_FL, _FR, _FC, _LFE, _RL, _RR, _SL, _SR),
}
"""``enum spa_audio_channel`` of each channel, in the order of both protocols."""
POSITION_NAMES: Final = {1: "MONO", 2: "FL,FR", 6: "FL,FR,FC,LFE,RL,RR", 8: "FL,FR,FC,LFE,RL,RR,SL,SR"}

EXACT_SINCE: Final = (0, 3, 82)
"""The first version of PipeWire that takes ``node.force-quantum`` as it is."""

_CLASSES: Final = {
    SoundRole.SINK: "Audio/Sink",
    SoundRole.MICROPHONE: "Audio/Source",
    SoundRole.PLAYBACK: "Stream/Output/Audio",
}


def audio_format(channel_count: int, rate_hz: int) -> bytes:
    """Make the only format that our nodes offer: interleaved float32; PipeWire converts at its ports."""
    return make_object(
        ObjectType.FORMAT,
        Param.ENUM_FORMAT,
        {
            _FORMAT_MEDIA_TYPE: Id(_MEDIA_AUDIO),
            _FORMAT_MEDIA_SUBTYPE: Id(_SUBTYPE_RAW),
            _AUDIO_FORMAT: Id(_F32_LE),
            _AUDIO_RATE: rate_hz,
            _AUDIO_CHANNELS: channel_count,
            _AUDIO_POSITION: Array(tuple(Id(position) for position in POSITIONS[channel_count])),
        },
    )


def unrounded(quantum: int, pipewire_version: str) -> int:
    """Return the quantum, in samples, that is nearest to this one and that this version does not round."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", pipewire_version)[:3])
    return quantum if numbers >= EXACT_SINCE else 1 << round(math.log2(quantum))


def node_properties(plan: SoundNodePlan, quantum: int) -> dict[str, str]:
    """Describe a node to the daemon and its session manager. ``quantum`` in samples."""
    properties = {
        "media.type": "Audio",
        "media.category": "Capture" if plan.role is SoundRole.SINK else "Playback",
        "media.class": _CLASSES[plan.role],
        "node.name": plan.name,
        "node.description": plan.description,
        "node.nick": plan.description,
        "node.latency": f"{quantum}/{plan.rate_hz}",
        "node.rate": f"1/{plan.rate_hz}",
        "node.force-quantum": str(quantum),
        "audio.position": f"[{POSITION_NAMES[plan.channel_count]}]",
    }
    if plan.role is SoundRole.PLAYBACK:
        # Where the device goes away the sound ends: moved to the default sink, ours, it would go in circles.
        return properties | {
            "media.role": "Game",
            "target.object": plan.target,
            "node.dont-reconnect": "true",
            "state.restore-target": "false",
            "state.restore-props": "false",
        }
    # A suspended node would make the first program wait; the state of the last session is not for this one.
    return properties | {
        "node.virtual": "true",
        "session.suspend-timeout-seconds": "0",
        "state.restore-props": "false",
        "monitor.channel-volumes": "false",
    }


class SoundStream:
    """One node, from construction to ``close``. A sink fills all ``rings``, the others empty the first."""

    def __init__(self, core: Core, plan: SoundNodePlan, rings: "Sequence[SampleRing]") -> None:
        self._plan = plan
        self._rings = tuple(rings)
        self._stride = SAMPLE_BYTES * plan.channel_count
        self.short_count = 0
        """Samples that a microphone or a playback had to give and did not have: silence stood for them."""
        self._quantum = unrounded(plan.quantum_samples, library_version())
        process = self._take if plan.role is SoundRole.SINK else self._give
        properties = node_properties(plan, self._quantum)
        self._stream = Stream(core, plan.name, properties, Handlers(process=process))
        direction = Direction.INPUT if plan.role is SoundRole.SINK else Direction.OUTPUT
        flags = Flags.MAP_BUFFERS
        if plan.role is SoundRole.PLAYBACK:
            flags |= Flags.AUTOCONNECT | Flags.DONT_RECONNECT
        try:
            self._stream.connect(direction, flags, [audio_format(plan.channel_count, plan.rate_hz)])
        except BaseException:
            self._stream.close()
            raise

    @property
    def state(self) -> State:
        """What the stream is doing; STREAMING while programs play or record."""
        return self._stream.state

    @property
    def error(self) -> str:
        """Why the state is ERROR."""
        return self._stream.error

    def close(self) -> None:
        """Take the node away."""
        self._stream.close()

    def _take(self) -> None:
        now_ns = time.monotonic_ns()
        while (buffer := self._stream.dequeue()) is not None:
            data = buffer.buffer.datas[0]
            if data.data != ffi.NULL and data.chunk.size:
                samples = self._view(data, data.chunk.offset % max(1, data.maxsize), data.chunk.size)
                for ring in self._rings:
                    ring.write(samples, now_ns)
            self._stream.queue(buffer)

    def _give(self) -> None:
        buffer = self._stream.dequeue()
        if buffer is None:
            return
        data = buffer.buffer.datas[0]
        if data.data == ffi.NULL:
            self._stream.queue(buffer)
            return
        room = data.maxsize // self._stride
        wanted = min(int(buffer.requested) or self._quantum, room)
        taken, _captured_ns = self._rings[0].take(wanted)
        into = np.frombuffer(ffi.buffer(data.data, wanted * self._stride), np.float32)
        into = into.reshape(wanted, self._plan.channel_count)
        into[: len(taken)] = taken
        into[len(taken) :] = 0
        self.short_count += wanted - len(taken)
        data.chunk.offset, data.chunk.stride, data.chunk.size = 0, self._stride, wanted * self._stride
        self._stream.queue(buffer)

    def _view(self, data: Any, offset: int, size: int) -> Any:
        """Look at samples where they lie; they are copied before the buffer goes back."""
        count = min(size, data.maxsize - offset) // self._stride
        memory = ffi.buffer(ffi.cast("char *", data.data) + offset, count * self._stride)
        return np.frombuffer(memory, np.float32).reshape(count, self._plan.channel_count)
