"""Messages of the control stream that steer the stream itself: mode, rate, loss, delivery, probes, clock.

Their registry and codec: ``control``. Spec: punktfunk-1.md section 2.5.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from punktfunk.wire.native.forms import FLAG, U8, U16, U32, U64
from punktfunk.wire.native.framing import CONTROL_MAGIC
from punktfunk.wire.native.layout import Registry, Sender, Tail

CONTROL: Final = Registry(CONTROL_MAGIC)
"""Every typed message after the handshake, by its type byte."""


class BitrateReason(IntEnum):
    """Why the rate is what it is; a number that is not known still acknowledges."""

    GRANTED = 0
    ENCODER = 1
    CADENCE = 2
    GOVERNOR = 3
    PINNED = 4


class InterfaceKind(IntEnum):
    """What the host sends through."""

    UNKNOWN = 0
    ETHERNET = 1
    WIFI = 2
    OTHER = 3


@CONTROL.add(0x01, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class Reconfigure:
    """Change the mode of the running session."""

    width_px: Annotated[int, U32, "wanted mode"]
    height_px: Annotated[int, U32, ""]
    refresh_hz: Annotated[int, U32, ""]


@CONTROL.add(0x02, Sender.HOST)
@dataclass(frozen=True, slots=True)
class Reconfigured:
    """Answer to Reconfigure; unasked when a rebuild ended in another mode."""

    accepted: Annotated[bool, FLAG, "no: the mode below stays"]
    width_px: Annotated[int, U32, "mode that is active, or becomes it"]
    height_px: Annotated[int, U32, ""]
    refresh_hz: Annotated[int, U32, ""]


@CONTROL.add(0x03, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class RequestKeyframe:
    """Make the next frame an IDR."""


@CONTROL.add(0x04, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class LossReport:
    """Loss of the last window that parity repaired; one per window, also when it is 0."""

    loss_ppm: Annotated[int, U32, "lost shards per million"]


@CONTROL.add(0x05, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class SetBitrate:
    """Change the wire budget."""

    bitrate_kbps: Annotated[int, U32, "wire budget; 0 the host's default"]


@CONTROL.add(0x06, Sender.HOST)
@dataclass(frozen=True, slots=True)
class BitrateChanged:
    """The rate really set; the reason only toward a client whose Start asked for it."""

    bitrate_kbps: Annotated[int, U32, "wire budget"]
    reason: Annotated[int | None, U8, Tail(1), "BitrateReason"] = None


@CONTROL.add(0x07, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class RfiRequest:
    """These frames were lost: refer to none of them any more."""

    first_frame: Annotated[int, U32, "first lost frame index"]
    last_frame: Annotated[int, U32, "last lost frame index"]


@CONTROL.add(0x08, Sender.HOST)
@dataclass(frozen=True, slots=True)
class ShardPayloadChanged:
    """The payload of packets changes; growth waits for the answer."""

    shard_bytes: Annotated[int, U16, "even"]


@CONTROL.add(0x09, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class ShardPayloadAck:
    """The client takes this size."""

    shard_bytes: Annotated[int, U16, "as it was named"]


@CONTROL.add(0x0A, Sender.HOST)
@dataclass(frozen=True, slots=True)
class PipelineGap:
    """Nothing flowed because the host rebuilt: no sign of a bad network."""

    gap_ms: Annotated[int, U32, "how long"]


@CONTROL.add(0x0B, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How much arrives; 0 tells the host that no video does."""

    packets_received: Annotated[int, U64, "accepted media packets of the session"]


@CONTROL.add(0x0C, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class LinkReport:
    """The rate that the bring-up ramp proved."""

    proven_kbps: Annotated[int, U32, "kbit/s"]


@CONTROL.add(0x0D, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class SetDelivery:
    """Spread packets in another way from the next frame on."""

    profile: Annotated[int, U8, "DeliveryProfile"]


@CONTROL.add(0x0E, Sender.HOST)
@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """How packets are spread now."""

    profile: Annotated[int, U8, "DeliveryProfile"]
    forced: Annotated[bool, FLAG, "the operator pinned it"]


@CONTROL.add(0x0F, Sender.HOST)
@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the host knows of its end of the path."""

    interface: Annotated[int, U8, "InterfaceKind"]
    link_mbps: Annotated[int, U32, "0 unknown"]
    send_buffer_kib: Annotated[int, U32, "of the media socket"]
    forced_profile: Annotated[int, U8, "DeliveryProfile; 0xFF none"]


@CONTROL.add(0x20, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Send filler beside the video and say how much left."""

    target_kbps: Annotated[int, U32, "at most 10 Gbit/s"]
    duration_ms: Annotated[int, U32, "at most 5000"]


@CONTROL.add(0x21, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A probe is over; all zero: refused. Grows at its end, so more bytes are ignored."""

    bytes_sent: Annotated[int, U64, "of units"]
    units_sent: Annotated[int, U32, "units"]
    duration_ms: Annotated[int, U32, "how long it took"]
    packets_sent: Annotated[int, U32, Tail(1), "taken by the kernel; 0 from old hosts"] = 0
    packets_dropped: Annotated[int, U32, Tail(1), "not taken: send buffer full"] = 0


@CONTROL.add(0x22, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class ProbeShaped:
    """A probe in bursts; only toward a host that answered the delivery extension."""

    target_kbps: Annotated[int, U32, "at most 10 Gbit/s"]
    duration_ms: Annotated[int, U32, "at most 5000"]
    burst_hz: Annotated[int, U16, "0 smooth"]
    group_bytes: Annotated[int, U32, "what leaves at once"]
    group_kbps: Annotated[int, U32, "rate between groups of a burst; 0 line rate"]


@CONTROL.add(0x30, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class ClockProbe:
    """One round of clock synchronisation."""

    t1_ns: Annotated[int, U64, "client's CLOCK_REALTIME when it was sent"]


@CONTROL.add(0x31, Sender.HOST)
@dataclass(frozen=True, slots=True)
class ClockEcho:
    """Its answer, at any time."""

    t1_ns: Annotated[int, U64, "as it came"]
    t2_ns: Annotated[int, U64, "host's clock, the one of pts, at receipt"]
    t3_ns: Annotated[int, U64, "host's clock when the answer was sent"]


@CONTROL.add(0x32, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class PhaseReport:
    """When the client's display takes pictures, in the host's clock."""

    next_latch_ns: Annotated[int, U64, "next latch"]
    period_ns: Annotated[int, U32, "between two"]
    uncertainty_ns: Annotated[int, U32, "of the latch"]
    lead_ns: Annotated[int, U32, "how long before it frames arrive"]
    coherence_permille: Annotated[int | None, U16, Tail(1), "how steady the phase is"] = None
