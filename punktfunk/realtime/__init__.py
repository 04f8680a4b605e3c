"""Threads that must not wait. No Trio here. Control sees only the names of this file.

Importing it loads neither numba, av nor numpy: each name loads what it needs when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from punktfunk.realtime.audio import AudioLink as AudioLink
    from punktfunk.realtime.encode.probe import EncoderReport as EncoderReport
    from punktfunk.realtime.encode.probe import Refusal as Refusal
    from punktfunk.realtime.encode.probe import probe_encoders as probe_encoders
    from punktfunk.realtime.pipeline import Pipeline as Pipeline
    from punktfunk.realtime.thread import Placement as Placement
    from punktfunk.realtime.thread import prepare_process as prepare_process
    from punktfunk.realtime.warm import WarmStep as WarmStep
    from punktfunk.realtime.warm import cache_problems as cache_problems
    from punktfunk.realtime.warm import can_stream as can_stream
    from punktfunk.realtime.warm import compile_in_child as compile_in_child
    from punktfunk.realtime.warm import is_warm as is_warm
    from punktfunk.realtime.warm import runnable_modes as runnable_modes
    from punktfunk.realtime.warm import self_check as self_check
    from punktfunk.realtime.warm import simd_mode as simd_mode

__all__ = [
    "AudioLink",
    "EncoderReport",
    "Pipeline",
    "Placement",
    "Refusal",
    "WarmStep",
    "cache_problems",
    "can_stream",
    "compile_in_child",
    "is_warm",
    "prepare_process",
    "probe_encoders",
    "runnable_modes",
    "self_check",
    "simd_mode",
]

_HOMES = {
    "AudioLink": "audio",
    "EncoderReport": "encode.probe",
    "Pipeline": "pipeline",
    "Placement": "thread",
    "Refusal": "encode.probe",
    "WarmStep": "warm",
    "cache_problems": "warm",
    "can_stream": "warm",
    "compile_in_child": "warm",
    "is_warm": "warm",
    "prepare_process": "thread",
    "probe_encoders": "encode.probe",
    "runnable_modes": "warm",
    "self_check": "warm",
    "simd_mode": "warm",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
