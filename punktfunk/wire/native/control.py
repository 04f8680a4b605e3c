"""Typed messages of the control stream after the handshake: "PKFc", one byte of type, the fields.

Each message has one length and is read at exactly that; new information gets a new type. So a peer may send
what this version does not know: an unknown type, a wrong length or a bad body is ignored, never fatal. The
messages themselves: ``control_stream`` and ``control_desk``; how they are framed: ``framing``.
Spec: punktfunk-1.md section 2.5.
"""

from typing import Any

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.native.control_desk import (
    AccessUpdate,
    AudioState,
    ClipControl,
    ClipFetch,
    ClipFetchHdr,
    ClipKind,
    ClipOffer,
    ClipPolicy,
    ClipReason,
    ClipState,
    ClipStatus,
    CursorRender,
    CursorShape,
    InputEdge,
    LaunchKind,
    LaunchOutcome,
    PadSlots,
)
from punktfunk.wire.native.control_stream import (
    CONTROL,
    BitrateChanged,
    BitrateReason,
    ClockEcho,
    ClockProbe,
    DeliveryChanged,
    DeliveryReport,
    HostFacts,
    InterfaceKind,
    LinkReport,
    LossReport,
    PhaseReport,
    PipelineGap,
    ProbeRequest,
    ProbeResult,
    ProbeShaped,
    Reconfigure,
    Reconfigured,
    RequestKeyframe,
    RfiRequest,
    SetBitrate,
    SetDelivery,
    ShardPayloadAck,
    ShardPayloadChanged,
)

__all__ = [
    "CONTROL",
    "AccessUpdate",
    "AudioState",
    "BitrateChanged",
    "BitrateReason",
    "ClipControl",
    "ClipFetch",
    "ClipFetchHdr",
    "ClipKind",
    "ClipOffer",
    "ClipPolicy",
    "ClipReason",
    "ClipState",
    "ClipStatus",
    "ClockEcho",
    "ClockProbe",
    "ControlMessage",
    "CursorRender",
    "CursorShape",
    "DeliveryChanged",
    "DeliveryReport",
    "HostFacts",
    "InputEdge",
    "InterfaceKind",
    "LaunchKind",
    "LaunchOutcome",
    "LinkReport",
    "LossReport",
    "PadSlots",
    "PhaseReport",
    "PipelineGap",
    "ProbeRequest",
    "ProbeResult",
    "ProbeShaped",
    "Reconfigure",
    "Reconfigured",
    "RequestKeyframe",
    "RfiRequest",
    "SetBitrate",
    "SetDelivery",
    "ShardPayloadAck",
    "ShardPayloadChanged",
    "build_control",
    "parse_control",
]

ControlMessage = (
    AccessUpdate
    | AudioState
    | BitrateChanged
    | ClipControl
    | ClipFetch
    | ClipFetchHdr
    | ClipOffer
    | ClipState
    | ClockEcho
    | ClockProbe
    | CursorRender
    | CursorShape
    | DeliveryChanged
    | DeliveryReport
    | HostFacts
    | InputEdge
    | LaunchOutcome
    | LinkReport
    | LossReport
    | PadSlots
    | PhaseReport
    | PipelineGap
    | ProbeRequest
    | ProbeResult
    | ProbeShaped
    | Reconfigure
    | Reconfigured
    | RequestKeyframe
    | RfiRequest
    | SetBitrate
    | SetDelivery
    | ShardPayloadAck
    | ShardPayloadChanged
)


def build_control(message: ControlMessage) -> bytes:
    """Payload of a message, for ``framing.frame``; LocalProtocolError for what does not fit."""
    return CONTROL.build(message)


def parse_control(payload: bytes) -> ControlMessage | None:
    """Read a message; None for one that must be ignored. Raises nothing."""
    try:
        message: Any = CONTROL.parse(payload)
    except RemoteProtocolError:
        return None
    known: ControlMessage = message
    return known
