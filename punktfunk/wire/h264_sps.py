"""The H.264 sequence parameter set, as far as latency and colour depend on it.

Read after ITU-T H.264 sections 7.3.2.1.1 (the set), E.1.1 (video usability information) and 9.1 (Exp-Golomb
codes). ``reorder_frame_count`` is what matters most: where the set does not say 0, a decoder may hold frames
back to put them in order (Sunshine patches the set for that, src/cbs.cpp, make_sps_h264).
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.errors import RemoteProtocolError

_WITH_CHROMA: Final = frozenset((44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244))
_EXTENDED_SAR: Final = 255
_MAX_SPS_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Usability:
    """Values of the video usability information; None where it leaves one out."""

    full_range: bool | None = None
    primaries: int | None = None
    transfer: int | None = None
    matrix: int | None = None
    reorder_frame_count: int | None = None
    buffered_frame_count: int | None = None


@dataclass(frozen=True, slots=True)
class Sps:
    """Sizes are in luma samples, after cropping; the level is times 10."""

    profile: int
    level: int
    width_px: int
    height_px: int
    reference_frame_count: int
    usability: Usability


class _Bits:
    """Bits of a payload, most significant first, emulation prevention bytes taken out."""

    def __init__(self, payload: bytes) -> None:
        payload = payload.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise RemoteProtocolError("sequence parameter set ends too early")
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.read(1) == 1

    def unsigned(self) -> int:
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 31:
                raise RemoteProtocolError("sequence parameter set has an endless code")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def bounded(self, limit: int, name: str) -> int:
        value = self.unsigned()
        if value > limit:
            raise RemoteProtocolError(
                f"sequence parameter set has {name} {value}, at most {limit} is allowed"
            )
        return value


def parse_sps(nal: bytes) -> Sps:
    """Read a NAL unit of type 7, header byte included, start code not; RemoteProtocolError if it is none."""
    if not 4 <= len(nal) <= _MAX_SPS_BYTES or nal[0] & 0x1F != 7:
        raise RemoteProtocolError(f"NAL unit of {len(nal)} bytes is no sequence parameter set")
    profile, level = nal[1], nal[3]
    bits = _Bits(nal[4:])
    bits.bounded(31, "seq_parameter_set_id")
    chroma_format = _read_chroma(bits) if profile in _WITH_CHROMA else 1
    bits.bounded(12, "log2_max_frame_num_minus4")
    _skip_picture_order(bits)
    reference_frame_count = bits.bounded(16, "max_num_ref_frames")
    bits.flag()  # gaps_in_frame_num_value_allowed_flag
    width = 16 * (bits.bounded(4095, "pic_width_in_mbs_minus1") + 1)
    map_height = 16 * (bits.bounded(4095, "pic_height_in_map_units_minus1") + 1)
    frames_only = bits.flag()
    if not frames_only:
        bits.flag()  # mb_adaptive_frame_field_flag
    bits.flag()  # direct_8x8_inference_flag
    crops = [bits.bounded(65536, "frame_crop_offset") for _ in range(4)] if bits.flag() else [0] * 4
    unit_x = 2 if chroma_format in (1, 2) else 1
    unit_y = (2 if chroma_format == 1 else 1) * (1 if frames_only else 2)
    return Sps(
        profile,
        level,
        width - unit_x * (crops[0] + crops[1]),
        map_height * (1 if frames_only else 2) - unit_y * (crops[2] + crops[3]),
        reference_frame_count,
        _read_usability(bits) if bits.flag() else Usability(),
    )


def _read_chroma(bits: _Bits) -> int:
    chroma_format = bits.bounded(3, "chroma_format_idc")
    separate = chroma_format == 3 and bits.flag()
    bits.bounded(6, "bit_depth_luma_minus8")
    bits.bounded(6, "bit_depth_chroma_minus8")
    bits.flag()  # qpprime_y_zero_transform_bypass_flag
    if bits.flag():
        for index in range(8 if chroma_format != 3 else 12):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return 0 if separate else chroma_format


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_picture_order(bits: _Bits) -> None:
    kind = bits.bounded(2, "pic_order_cnt_type")
    if kind == 0:
        bits.bounded(12, "log2_max_pic_order_cnt_lsb_minus4")
    elif kind == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(bits.bounded(255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.signed()


def _read_usability(bits: _Bits) -> Usability:
    full_range = primaries = transfer = matrix = reorder_frame_count = buffered_frame_count = None
    if bits.flag() and bits.read(8) == _EXTENDED_SAR:
        bits.read(32)
    if bits.flag():
        bits.flag()  # overscan_appropriate_flag
    if bits.flag():
        bits.read(3)  # video_format
        full_range = bits.flag()
        if bits.flag():
            primaries, transfer, matrix = bits.read(8), bits.read(8), bits.read(8)
    if bits.flag():
        bits.unsigned()  # chroma sample location, both fields
        bits.unsigned()
    if bits.flag():
        bits.read(65)  # num_units_in_tick, time_scale, fixed_frame_rate_flag
    if _skip_rate_model(bits) | _skip_rate_model(bits):  # NAL and VCL: both must be read
        bits.flag()  # low_delay_hrd_flag
    bits.flag()  # pic_struct_present_flag
    if bits.flag():
        bits.flag()  # motion_vectors_over_pic_boundaries_flag
        for _ in range(4):
            bits.unsigned()
        reorder_frame_count, buffered_frame_count = bits.unsigned(), bits.unsigned()
    return Usability(full_range, primaries, transfer, matrix, reorder_frame_count, buffered_frame_count)


def _skip_rate_model(bits: _Bits) -> bool:
    if not bits.flag():
        return False
    count = bits.bounded(31, "cpb_cnt_minus1") + 1
    bits.read(8)
    for _ in range(count):
        bits.unsigned()
        bits.unsigned()
        bits.flag()
    bits.read(20)
    return True
