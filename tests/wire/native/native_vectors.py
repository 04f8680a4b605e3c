"""The golden messages of punktfunk/1 (tests/golden/punktfunk_1.json), and what each of them says."""

import json
from pathlib import Path

from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import (
    Cipher,
    ClientCap,
    CodecBit,
    CompositorKind,
    GamepadKind,
    Grant,
    HostCap,
    HostCap2,
    VideoCap,
    VideoFit,
)
from punktfunk.wire.native.control import (
    AccessUpdate,
    AudioState,
    BitrateChanged,
    BitrateReason,
    ClipControl,
    ClipFetch,
    ClipFetchHdr,
    ClipKind,
    ClipOffer,
    ClipState,
    ClockEcho,
    ClockProbe,
    CursorRender,
    CursorShape,
    DeliveryChanged,
    DeliveryReport,
    HostFacts,
    InputEdge,
    LaunchKind,
    LaunchOutcome,
    LinkReport,
    LossReport,
    PadSlots,
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
from punktfunk.wire.native.datagrams import (
    AudioFrame,
    CursorFlag,
    CursorState,
    HostTiming,
    MicFrame,
    PadAudioFrame,
    PcmFrame,
    RedundantAudio,
)
from punktfunk.wire.native.extension import Extensions
from punktfunk.wire.native.handshake import Hello, Start
from punktfunk.wire.native.hdr import HdrVolume
from punktfunk.wire.native.input import (
    Axis,
    ButtonEdge,
    KeyEdge,
    PadAxis,
    PadAxisCode,
    PadButton,
    PadPlugged,
    PadRemoval,
    PadSnapshot,
    PointerMove,
    PointerPosition,
    ScrollPhase,
    ScrollSource,
    ScrollStep,
    TextScalar,
    TouchPhase,
    TouchPoint,
    WheelTurn,
)
from punktfunk.wire.native.packet import FecScheme
from punktfunk.wire.native.pad_output import (
    MicLight,
    MicrophoneLight,
    PadAudioControl,
    PadLight,
    PlayerLights,
    RawReport,
    Rumble,
    TrackpadHaptic,
    TriggerEffect,
)
from punktfunk.wire.native.pairing import PairChallenge, PairProof, PairRequest, PairResult, Refused
from punktfunk.wire.native.rich_input import (
    HidReport,
    MotionSample,
    PenBatch,
    PenEnd,
    PenSample,
    PenState,
    SurfaceContact,
    SurfaceState,
    TouchpadContact,
)
from punktfunk.wire.native.welcome import Welcome

GOLDEN = Path(__file__).parents[2] / "golden" / "punktfunk_1.json"
VECTORS = json.loads(GOLDEN.read_text("utf-8"))["vectors"]


def of_kind(kind):
    """Bytes of all vectors of a kind, in the file's order."""
    return [bytes.fromhex(v["hex"]) for v in VECTORS if v["kind"] == kind]


def named(name):
    """Bytes of the one vector of that name."""
    (found,) = [bytes.fromhex(v["hex"]) for v in VECTORS if v["name"] == name]
    return found


YES, NO = True, False
HD = {"width_px": 1920, "height_px": 1080, "refresh_hz": 60}
ODD = {"width_px": 3216, "height_px": 1440, "refresh_hz": 60}
VOLUME = HdrVolume((13250, 34500), (7500, 3000), (34000, 16000), (15635, 16450), 8_000_000, 500, 0, 400)

HELLOS = [
    Hello(**HD),
    Hello(**HD, compositor=CompositorKind.MUTTER, gamepad=GamepadKind.DUALSENSE, bitrate_kbps=80_000),
    Hello(
        width_px=1280,
        height_px=720,
        refresh_hz=120,
        compositor=CompositorKind.KWIN,
        gamepad=GamepadKind.DUALSENSE,
        bitrate_kbps=25_000,
        name="Test Device",
        launch_id="steam:570",
        video_caps=VideoCap.TEN_BIT,
        codecs=CodecBit.H264 | CodecBit.HEVC,
        preferred_codec=CodecBit.HEVC,
    ),
    Hello(
        width_px=1280,
        height_px=720,
        refresh_hz=60,
        codecs=CodecBit.H264 | CodecBit.HEVC,
        preferred_codec=CodecBit.H264,
    ),
    Hello(**HD, audio_rate_hz=96_000),
    Hello(**HD, audio_bits=24),
    Hello(**ODD, video_fit=VideoFit.CROP),
    Hello(
        **ODD,
        hdr=VOLUME,
        client_caps=ClientCap.HIRES_AUDIO,
        shard_bytes_max=8908,
        audio_rate_hz=96_000,
        audio_bits=24,
        audio_layout=1,
        video_fit=VideoFit.STRETCH,
    ),
    Hello(
        width_px=2560,
        height_px=1440,
        refresh_hz=120,
        name="desk",
        video_caps=VideoCap.HOST_TIMING | VideoCap.PROBE_SEQUENCE | VideoCap.STREAMED_UNITS,
        codecs=CodecBit.H264 | CodecBit.HEVC | CodecBit.AV1,
        client_caps=ClientCap.REDUNDANT_AUDIO | ClientCap.EXTENSIONS,
        shard_bytes_max=9152,
    ),
]

OFFER = {
    "media_port": 7000,
    **HD,
    "fec_scheme": FecScheme.GF16,
    "fec_percent": 20,
    "data_max": 4096,
    "shard_bytes": 1200,
    "key": b"\7" * 16,
    "salt": bytes((9, 8, 7, 6)),
    "bitrate_kbps": 50_000,
}
CHACHA = {"cipher": Cipher.CHACHA20_POLY1305, "chacha_key": bytes(range(1, 33))}

WELCOMES = [
    Welcome(**OFFER),
    Welcome(**OFFER, mgmt_port=47991),
    Welcome(**OFFER, grants=Grant.GAMEPAD, expires_in_s=14_400),
    Welcome(**OFFER, **CHACHA),
    Welcome(**OFFER, **CHACHA, mgmt_port=47991, grants=Grant(0), expires_in_s=60),
    Welcome(
        **{
            **OFFER,
            "media_port": 9999,
            "width_px": 2560,
            "height_px": 1440,
            "refresh_hz": 240,
            "salt": bytes((1, 2, 3, 4)),
        },
        frame_limit=600,
        compositor=CompositorKind.GAMESCOPE,
        gamepad=GamepadKind.DUALSENSE,
        bit_depth=10,
        colour_primaries=9,
        colour_transfer=16,
        colour_matrix=9,
        chroma_idc=3,
        codec=CodecBit.H264,
        host_caps=HostCap.PAD_SNAPSHOTS,
    ),
    Welcome(
        **{**OFFER, "fec_percent": 10, "shard_bytes": 1408},
        host_caps=HostCap.PAD_SNAPSHOTS,
        mgmt_port=47990,
        host_caps2=HostCap2.REPEAT_MARK | HostCap2.EXTENSIONS,
    ),
    Welcome(**OFFER, extensions=Extensions(padding=b"")),
]

STARTS = [
    Start(1234),
    Start(41000, Extensions(padding=b"")),
    Start(41000, Extensions("py 0.1", reads_reason=True)),
    Start(41000, Extensions("py 0.1", YES, "3f9a0c11", "TV", delivery_profile=0, delivery_flags=1)),
]

PAIRINGS = [
    PairRequest("old client", b"\7" * 33),
    PairChallenge(b"\t" * 33, b"\7" * 32),
    PairProof(b"\3" * 32),
    PairResult(YES),
    PairResult(NO),
    Refused(0x68, "no usable compositor"),
]

LONG = 0x0102030405060708
CONTROLS = [
    Reconfigure(1920, 1080, 120),
    Reconfigured(YES, 1920, 1080, 120),
    RequestKeyframe(),
    LossReport(0x01020304),
    SetBitrate(50_000),
    BitrateChanged(50_000, BitrateReason.CADENCE),
    BitrateChanged(50_000),
    RfiRequest(10, 12),
    ShardPayloadChanged(1200),
    ShardPayloadAck(1200),
    PipelineGap(250),
    DeliveryReport(LONG),
    LinkReport(0x0A0B0C0D),
    SetDelivery(2),
    DeliveryChanged(1, YES),
    HostFacts(1, 2500, 32_768, 0),
    ProbeRequest(100_000, 500),
    ProbeResult(0x1122334455667788, 1, 2, 3, 4),
    ProbeShaped(100_000, 500, 60, 65_536, 800_000),
    ClockProbe(LONG),
    ClockEcho(1, 2, 3),
    PhaseReport(LONG, 8_333_333, 0x10, 0x20, 900),
    PhaseReport(LONG, 8_333_333, 0x10, 0x20),
    ClipControl(YES, 1),
    ClipState(YES, 3, 4),
    ClipOffer(7, (ClipKind("text/plain", 5),)),
    ClipFetch(7, 0xFFFFFFFF, "text/plain"),
    ClipFetchHdr(0, 5),
    CursorShape(9, 1, 1, 0, 0, bytes((1, 2, 3, 4))),
    CursorRender(YES),
    AccessUpdate(Grant(0x1F), 3600),
    AudioState(YES),
    LaunchOutcome(LaunchKind.FAILED, "gone"),
    PadSlots(5),
    InputEdge(KeyEdge(0x41, YES)),
]

INPUTS = [
    KeyEdge(0x41, YES),
    KeyEdge(0x41, NO),
    PointerMove(-12, 34, 0xABCD),
    PointerPosition(640, 360, 1280, 720),
    ButtonEdge(MouseButton.LEFT, YES),
    WheelTurn(Axis.VERTICAL, 120),
    WheelTurn(Axis.HORIZONTAL, -60, YES),
    TouchPoint(TouchPhase.DOWN, 2, 640, 360, 1280, 720),
    PadButton(0, 0x1000, YES),
    PadAxis(2, PadAxisCode.RIGHT_TRIGGER, 255),
    PadSnapshot(3, 200, 0x281000, 255, 1, -32768, 32767, -1, 12345),
    PadRemoval(3, 201),
    PadPlugged(2, GamepadKind.DUALSENSE, YES, YES),
    TextScalar(0x1F600),
    ScrollStep(Axis.VERTICAL, -1792, ScrollSource.FINGER, ScrollPhase.UPDATE),
]

TIMING = 1_751_500_000_123_456_789, 4321
DATAGRAMS = [
    AudioFrame(7, 1_000_000_123, b"\x42" * 4),
    AudioFrame(0, 0, b""),
    RedundantAudio(9, 0, b"\1" * 4, b"\2" * 3),
    PcmFrame(7, 1_234_567_890, bytes((1, 0, 0xFE, 0xFF))),
    MicFrame(1, 2, b"\xaa"),
    Rumble(1, 0x1234, 0xFFFF),
    Rumble(1, 0x1234, 0xFFFF, 5, 400),
    Rumble(0, 0x4000, 0x8000, 0, 400, 0x2000, 0x6000),
    TouchpadContact(0, 1, YES, 1000, 2000),
    MotionSample(0, (100, -200, 300), (0, 10_000, 0)),
    SurfaceContact(1, 2, 0, SurfaceState.TOUCH | SurfaceState.CLICK, -5, 7, 900),
    HidReport(1, bytes((0x42, 1, 2))),
    PenBatch.of(1, PenSample(PenState.IN_RANGE | PenState.TOUCHING, PenEnd.PEN, 0.5, 0.25, 32768)),
    PadLight(0, 10, 20, 30),
    PlayerLights(0, 4),
    TriggerEffect(0, 1, bytes((0x21, *range(1, 11)))),
    TrackpadHaptic(0, 1, 0x100, 0x200, 3),
    RawReport(0, 1, bytes((0x81, 1))),
    PadAudioControl(2, 1, bytes(range(1, 7))),
    MicrophoneLight(0, MicLight.PULSE),
    HdrVolume((8500, 39850), (6550, 2300), (35400, 14600), (15635, 16450), 10_000_000, 1, 1000, 400),
    HostTiming(*TIMING),
    HostTiming(*TIMING, 900, 3100, 2500),
    HostTiming(*TIMING, 900, 3100, 2500, -2_750_000),
    CursorState(9, CursorFlag.VISIBLE, 100, -1),
    PadAudioFrame(2, 1, 1, 5, b"\xbb"),
]
