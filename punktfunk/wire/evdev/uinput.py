"""What goes through /dev/uinput: ioctl numbers, the structures of ioctls, and events (linux/uinput.h).

structure         layout (native sizes)
----------------  -------------------------------------------------------------------------------
input_event       two longs (time), u16 type, u16 code, s32 value
uinput_setup      u16 bus, vendor, product, version, 80 name, u32 effects
uinput_abs_setup  u16 code, s32 value, least, most, fuzz, flat, resolution
ff_effect         u16 type, s16 id, u16 direction, 2 x u16 trigger, u16 length ms, u16 delay ms,
                  union from 16: rumble u16 strong, weak; periodic u16 wave, period, s16 magnitude,
                  s16 offset, u16 phase, envelope; constant s16 level, envelope
ff_envelope       u16 attack ms, attack level, fade ms, fade level
uinput_ff_upload  u32 request, s32 result, ff_effect, ff_effect (the one before)
uinput_ff_erase   u32 request, s32 result, u32 effect
"""

from dataclasses import dataclass
from struct import Struct, calcsize
from typing import Final

from punktfunk.wire.evdev.codes import Effect, Type

NAME_MAX_BYTES: Final = 79

EVENT: Final = Struct("@llHHi")
SETUP: Final = Struct("@4H80sI")
ABS_SETUP: Final = Struct("@H2x6i")
_POINTER_BYTES: Final = calcsize("P")
_EFFECT_HEAD: Final = Struct("@HhHHHHH2x")
_PERIODIC_BYTES: Final = 20 + 4 + _POINTER_BYTES
EFFECT_BYTES: Final = _EFFECT_HEAD.size + -(-_PERIODIC_BYTES // _POINTER_BYTES) * _POINTER_BYTES
UPLOAD_BYTES: Final = 8 + 2 * EFFECT_BYTES
ERASE: Final = Struct("@IiI")
_REQUEST: Final = Struct("@Ii")
_RUMBLE: Final = Struct("@HH")
_PERIODIC: Final = Struct("@HHhhH4H")
_CONSTANT: Final = Struct("@h4H")

_WRITE, _READ = 1, 2


def _ioctl(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("U") << 8 | number


DEV_CREATE: Final = _ioctl(0, 1, 0)
DEV_DESTROY: Final = _ioctl(0, 2, 0)
DEV_SETUP: Final = _ioctl(_WRITE, 3, SETUP.size)
SET_ABS: Final = _ioctl(_WRITE, 4, ABS_SETUP.size)
SET_EVBIT: Final = _ioctl(_WRITE, 100, 4)
SET_PROPBIT: Final = _ioctl(_WRITE, 110, 4)
SET_PHYS: Final = _ioctl(_WRITE, 108, _POINTER_BYTES)
BEGIN_UPLOAD: Final = _ioctl(_READ | _WRITE, 200, UPLOAD_BYTES)
END_UPLOAD: Final = _ioctl(_WRITE, 201, UPLOAD_BYTES)
BEGIN_ERASE: Final = _ioctl(_READ | _WRITE, 202, ERASE.size)
END_ERASE: Final = _ioctl(_WRITE, 203, ERASE.size)
SYSNAME_BYTES: Final = 64
GET_SYSNAME: Final = _ioctl(_READ, 44, SYSNAME_BYTES)
SET_BIT: Final = {Type.KEY: 101, Type.REL: 102, Type.ABS: 103, Type.MSC: 104, Type.FF: 107}


def set_bit(kind: Type) -> int:
    """Return the number of the ioctl that gives a device a code of this type."""
    return _ioctl(_WRITE, SET_BIT[kind], 4)


@dataclass(frozen=True, slots=True)
class Axis:
    """Range of an absolute axis; ``resolution`` is in units per mm, of tilts per radian."""

    least: int
    most: int
    fuzz: int = 0
    flat: int = 0
    resolution: int = 0


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A device to be made: who it is and what it can send.

    codes          by type, except absolute axes
    effect_count   how many effects of force feedback it keeps; 0 for none
    """

    name: str
    vendor: int
    product: int
    version: int
    bus: int
    codes: tuple[tuple[Type, tuple[int, ...]], ...] = ()
    axes: tuple[tuple[int, Axis], ...] = ()
    properties: tuple[int, ...] = ()
    effect_count: int = 0


def build_setup(spec: DeviceSpec) -> bytes:
    """Build the argument of DEV_SETUP."""
    name = spec.name.encode()[:NAME_MAX_BYTES]
    return SETUP.pack(spec.bus, spec.vendor, spec.product, spec.version, name, spec.effect_count)


def build_axis(code: int, axis: Axis) -> bytes:
    """Build the argument of SET_ABS."""
    return ABS_SETUP.pack(code, 0, axis.least, axis.most, axis.fuzz, axis.flat, axis.resolution)


def build_event(kind: int, code: int, value: int) -> bytes:
    """Build one event; the kernel stamps it."""
    return EVENT.pack(0, 0, kind, code, value)


def parse_events(data: bytes) -> list[tuple[int, int, int]]:
    """Return type, code and value of each whole event in what was read."""
    whole = len(data) - len(data) % EVENT.size
    return [(kind, code, value) for _s, _us, kind, code, value in EVENT.iter_unpack(data[:whole])]


@dataclass(frozen=True, slots=True)
class Envelope:
    """How an effect begins and ends: durations in ms, levels 0 to 0x7FFF."""

    attack_ms: int = 0
    attack_level: int = 0
    fade_ms: int = 0
    fade_level: int = 0


NO_ENVELOPE: Final = Envelope()


@dataclass(frozen=True, slots=True)
class ForceEffect:
    """An effect that a game has uploaded, as the two motors of a pad can play it, 0 to 65535.

    ``length_ms`` 0 lasts until it is stopped.
    """

    number: int
    strong: int
    weak: int
    length_ms: int
    delay_ms: int
    envelope: Envelope = NO_ENVELOPE


def parse_effect(data: bytes) -> ForceEffect | None:
    """Read an ff_effect of EFFECT_BYTES; None for a kind that motors cannot play.

    Periodic and constant effects drive both motors by their magnitude, as the kernel's ff-memless.c does.
    """
    kind, number, _direction, _button, _interval, length_ms, delay_ms = _EFFECT_HEAD.unpack_from(data)
    at = _EFFECT_HEAD.size
    envelope = NO_ENVELOPE
    if kind == Effect.RUMBLE:
        strong, weak = _RUMBLE.unpack_from(data, at)
    elif kind == Effect.PERIODIC:
        _wave, _period, magnitude, _offset, _phase, *rest = _PERIODIC.unpack_from(data, at)
        strong = weak = min(abs(magnitude) * 2, 0xFFFF)
        envelope = Envelope(*rest)
    elif kind == Effect.CONSTANT:
        level, *rest = _CONSTANT.unpack_from(data, at)
        strong = weak = min(abs(level) * 2, 0xFFFF)
        envelope = Envelope(*rest)
    else:
        return None
    return ForceEffect(number, strong, weak, length_ms, delay_ms, envelope)


def read_upload(data: bytes) -> tuple[int, ForceEffect | None]:
    """Return number and effect of a filled uinput_ff_upload."""
    effect = data[_REQUEST.size : _REQUEST.size + EFFECT_BYTES]
    return _EFFECT_HEAD.unpack_from(effect)[1], parse_effect(effect)


def build_request(request: int, size: int) -> bytearray:
    """Build a structure of ``size`` bytes for BEGIN_UPLOAD or BEGIN_ERASE, to be filled by the kernel."""
    data = bytearray(size)
    _REQUEST.pack_into(data, 0, request, 0)
    return data


def set_result(data: bytearray, result: int) -> None:
    """Set what END_UPLOAD or END_ERASE tells the game: 0, or a negative errno."""
    request, _old = _REQUEST.unpack_from(data)
    _REQUEST.pack_into(data, 0, request, result)
