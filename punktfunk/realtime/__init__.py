"""Threads that must not wait. No Trio here. Control sees only the names of this file.

Importing it loads neither numba, av nor numpy: each name loads what it needs when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from punktfunk.realtime.audio import AudioLink as AudioLink
    from punktfunk.realtime.capture.converter import Converter as Converter
    from punktfunk.realtime.capture.cursor import Beside as Beside
    from punktfunk.realtime.capture.cursor import Pointer as Pointer
    from punktfunk.realtime.capture.drawing import pointer_picture as pointer_picture
    from punktfunk.realtime.capture.live import LiveSound as LiveSound
    from punktfunk.realtime.capture.prepare import settle_source as settle_source
    from punktfunk.realtime.capture.prepare import source_is_used as source_is_used
    from punktfunk.realtime.capture.timing import CaptureTimes as CaptureTimes
    from punktfunk.realtime.capture.timing import time_capture as time_capture
    from punktfunk.realtime.carrying import UnitTaker as UnitTaker
    from punktfunk.realtime.carrying import feed_units as feed_units
    from punktfunk.realtime.ciphers import Cipher as Cipher
    from punktfunk.realtime.code8 import Code8 as Code8
    from punktfunk.realtime.code16 import Code16 as Code16
    from punktfunk.realtime.decode.base import DecodedPicture as DecodedPicture
    from punktfunk.realtime.decode.loop import VideoDecoder as VideoDecoder
    from punktfunk.realtime.decode.loop import open_video_decoder as open_video_decoder
    from punktfunk.realtime.encode.picture import Picture as Picture
    from punktfunk.realtime.encode.probe import EncoderReport as EncoderReport
    from punktfunk.realtime.encode.probe import Refusal as Refusal
    from punktfunk.realtime.encode.probe import probe_encoders as probe_encoders
    from punktfunk.realtime.encode.voice import VoiceEncoder as VoiceEncoder
    from punktfunk.realtime.inspection import FrameInspector as FrameInspector
    from punktfunk.realtime.inspection import FrameRow as FrameRow
    from punktfunk.realtime.inspection import PlainReader as PlainReader
    from punktfunk.realtime.instruments import FrameTimes as FrameTimes
    from punktfunk.realtime.instruments import TickTimes as TickTimes
    from punktfunk.realtime.instruments import aligned_rows as aligned_rows
    from punktfunk.realtime.instruments import copying as copying
    from punktfunk.realtime.instruments import deciding_code as deciding_code
    from punktfunk.realtime.instruments import decoding as decoding
    from punktfunk.realtime.instruments import encoding as encoding
    from punktfunk.realtime.instruments import feed_frames as feed_frames
    from punktfunk.realtime.instruments import frame_times as frame_times
    from punktfunk.realtime.instruments import loop_at_ticks as loop_at_ticks
    from punktfunk.realtime.instruments import matrix_code as matrix_code
    from punktfunk.realtime.instruments import reads_for as reads_for
    from punktfunk.realtime.instruments import sealing as sealing
    from punktfunk.realtime.kernels.seal_choice import runnable_seals as runnable_seals
    from punktfunk.realtime.kernels.seal_choice import seal_choice as seal_choice
    from punktfunk.realtime.pipeline import Pipeline as Pipeline
    from punktfunk.realtime.pipewire.defaults import change_default as change_default
    from punktfunk.realtime.present.cadence import DisplayCadence as DisplayCadence
    from punktfunk.realtime.present.jitter import JitterBuffer as JitterBuffer
    from punktfunk.realtime.present.ring_speaker import RingSpeaker as RingSpeaker
    from punktfunk.realtime.present.sound import SoundPacket as SoundPacket
    from punktfunk.realtime.present.sound import SoundPlayer as SoundPlayer
    from punktfunk.realtime.present.stages import StageRecorder as StageRecorder
    from punktfunk.realtime.present.stages import StageTimes as StageTimes
    from punktfunk.realtime.pulse.defaults import change_pulse_default as change_pulse_default
    from punktfunk.realtime.pulse.visit import forget_node as forget_node
    from punktfunk.realtime.receive.frames import ReceivedFrame as ReceivedFrame
    from punktfunk.realtime.receive.portable import PortableReceiver as PortableReceiver
    from punktfunk.realtime.receive.reassembly import Reassembly as Reassembly
    from punktfunk.realtime.receive.receiver import VideoReceiver as VideoReceiver
    from punktfunk.realtime.recorded import Quad as Quad
    from punktfunk.realtime.recorded import RecordedPicture as RecordedPicture
    from punktfunk.realtime.recorded import read_recording as read_recording
    from punktfunk.realtime.recording import Recorder as Recorder
    from punktfunk.realtime.send.native import NativeSender as NativeSender
    from punktfunk.realtime.send.sender import VideoSender as VideoSender
    from punktfunk.realtime.send.sinks import SentFrame as SentFrame
    from punktfunk.realtime.sound_maker import MadeSound as MadeSound
    from punktfunk.realtime.sound_maker import SoundMaker as SoundMaker
    from punktfunk.realtime.sound_node import NodeState as NodeState
    from punktfunk.realtime.sound_node import SoundNode as SoundNode
    from punktfunk.realtime.sound_probe import probe_sound as probe_sound
    from punktfunk.realtime.thread import Placement as Placement
    from punktfunk.realtime.thread import prefer as prefer
    from punktfunk.realtime.thread import prepare_process as prepare_process
    from punktfunk.realtime.thread import promote as promote
    from punktfunk.realtime.timing import RingRun as RingRun
    from punktfunk.realtime.timing import SendTrial as SendTrial
    from punktfunk.realtime.timing import run_records as run_records
    from punktfunk.realtime.timing import run_slots as run_slots
    from punktfunk.realtime.timing import wake_latencies_ns as wake_latencies_ns
    from punktfunk.realtime.variants import Variant as Variant
    from punktfunk.realtime.variants import unpack_numbers as unpack_numbers
    from punktfunk.realtime.warm import WarmStep as WarmStep
    from punktfunk.realtime.warm import cache_problems as cache_problems
    from punktfunk.realtime.warm import can_stream as can_stream
    from punktfunk.realtime.warm import compile_in_child as compile_in_child
    from punktfunk.realtime.warm import is_warm as is_warm
    from punktfunk.realtime.warm import runnable_modes as runnable_modes
    from punktfunk.realtime.warm import self_check as self_check
    from punktfunk.realtime.warm import simd_mode as simd_mode
    from punktfunk.realtime.workshop.files import VariantFile as VariantFile
    from punktfunk.realtime.workshop.files import check_name as check_name
    from punktfunk.realtime.workshop.files import find_variant as find_variant
    from punktfunk.realtime.workshop.files import find_variants as find_variants
    from punktfunk.realtime.workshop.loading import is_checked as is_checked
    from punktfunk.realtime.workshop.loading import load_checked as load_checked
    from punktfunk.realtime.workshop.shipped import is_shipped as is_shipped
    from punktfunk.realtime.workshop.shipped import shipped_variants as shipped_variants
    from punktfunk.realtime.workshop.trials import check_variant as check_variant
    from punktfunk.realtime.workshop.trials import trials as trials

__all__ = [
    "AudioLink",
    "Beside",
    "CaptureTimes",
    "Cipher",
    "Code8",
    "Code16",
    "Converter",
    "DecodedPicture",
    "DisplayCadence",
    "EncoderReport",
    "FrameInspector",
    "FrameRow",
    "FrameTimes",
    "JitterBuffer",
    "LiveSound",
    "MadeSound",
    "NativeSender",
    "NodeState",
    "Picture",
    "Pipeline",
    "Placement",
    "PlainReader",
    "Pointer",
    "PortableReceiver",
    "Quad",
    "Reassembly",
    "ReceivedFrame",
    "RecordedPicture",
    "Recorder",
    "Refusal",
    "RingRun",
    "RingSpeaker",
    "SendTrial",
    "SentFrame",
    "SoundMaker",
    "SoundNode",
    "SoundPacket",
    "SoundPlayer",
    "StageRecorder",
    "StageTimes",
    "TickTimes",
    "UnitTaker",
    "Variant",
    "VariantFile",
    "VideoDecoder",
    "VideoReceiver",
    "VideoSender",
    "VoiceEncoder",
    "WarmStep",
    "aligned_rows",
    "cache_problems",
    "can_stream",
    "change_default",
    "change_pulse_default",
    "check_name",
    "check_variant",
    "compile_in_child",
    "copying",
    "deciding_code",
    "decoding",
    "encoding",
    "feed_frames",
    "feed_units",
    "find_variant",
    "find_variants",
    "forget_node",
    "frame_times",
    "is_checked",
    "is_shipped",
    "is_warm",
    "load_checked",
    "loop_at_ticks",
    "matrix_code",
    "open_video_decoder",
    "pointer_picture",
    "prefer",
    "prepare_process",
    "probe_encoders",
    "probe_sound",
    "promote",
    "read_recording",
    "reads_for",
    "run_records",
    "run_slots",
    "runnable_modes",
    "runnable_seals",
    "seal_choice",
    "sealing",
    "self_check",
    "settle_source",
    "shipped_variants",
    "simd_mode",
    "source_is_used",
    "time_capture",
    "trials",
    "unpack_numbers",
    "wake_latencies_ns",
]

_HOMES = {
    "probe_sound": "sound_probe",
    "forget_node": "pulse.visit",
    "change_pulse_default": "pulse.defaults",
    "settle_source": "capture.prepare",
    "CaptureTimes": "capture.timing",
    "time_capture": "capture.timing",
    "source_is_used": "capture.prepare",
    "change_default": "pipewire.defaults",
    "PortableReceiver": "receive.portable",
    "SoundNode": "sound_node",
    "RingSpeaker": "present.ring_speaker",
    "NodeState": "sound_node",
    "LiveSound": "capture.live",
    "read_recording": "recorded",
    "RecordedPicture": "recorded",
    "Quad": "recorded",
    "AudioLink": "audio",
    "Beside": "capture.cursor",
    "Pointer": "capture.cursor",
    "pointer_picture": "capture.drawing",
    "Cipher": "ciphers",
    "Code16": "code16",
    "Code8": "code8",
    "Converter": "capture.converter",
    "Picture": "encode.picture",
    "DecodedPicture": "decode.base",
    "DisplayCadence": "present.cadence",
    "EncoderReport": "encode.probe",
    "FrameInspector": "inspection",
    "FrameRow": "inspection",
    "FrameTimes": "instruments",
    "JitterBuffer": "present.jitter",
    "MadeSound": "sound_maker",
    "NativeSender": "send.native",
    "Pipeline": "pipeline",
    "Placement": "thread",
    "PlainReader": "inspection",
    "Reassembly": "receive.reassembly",
    "ReceivedFrame": "receive.frames",
    "Recorder": "recording",
    "Refusal": "encode.probe",
    "RingRun": "timing",
    "SendTrial": "timing",
    "SentFrame": "send.sinks",
    "SoundMaker": "sound_maker",
    "SoundPacket": "present.sound",
    "SoundPlayer": "present.sound",
    "StageRecorder": "present.stages",
    "StageTimes": "present.stages",
    "TickTimes": "instruments",
    "UnitTaker": "carrying",
    "Variant": "variants",
    "VariantFile": "workshop.files",
    "VideoDecoder": "decode.loop",
    "VideoReceiver": "receive.receiver",
    "VideoSender": "send.sender",
    "VoiceEncoder": "encode.voice",
    "WarmStep": "warm",
    "aligned_rows": "instruments",
    "cache_problems": "warm",
    "can_stream": "warm",
    "check_name": "workshop.files",
    "check_variant": "workshop.trials",
    "compile_in_child": "warm",
    "copying": "instruments",
    "deciding_code": "instruments",
    "decoding": "instruments",
    "encoding": "instruments",
    "feed_frames": "instruments",
    "feed_units": "carrying",
    "find_variant": "workshop.files",
    "find_variants": "workshop.files",
    "frame_times": "instruments",
    "is_checked": "workshop.loading",
    "is_shipped": "workshop.shipped",
    "is_warm": "warm",
    "load_checked": "workshop.loading",
    "loop_at_ticks": "instruments",
    "matrix_code": "instruments",
    "open_video_decoder": "decode.loop",
    "prefer": "thread",
    "prepare_process": "thread",
    "probe_encoders": "encode.probe",
    "promote": "thread",
    "reads_for": "instruments",
    "run_records": "timing",
    "run_slots": "timing",
    "runnable_modes": "warm",
    "runnable_seals": "kernels.seal_choice",
    "seal_choice": "kernels.seal_choice",
    "sealing": "instruments",
    "self_check": "warm",
    "shipped_variants": "workshop.shipped",
    "simd_mode": "warm",
    "trials": "workshop.trials",
    "unpack_numbers": "variants",
    "wake_latencies_ns": "timing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
