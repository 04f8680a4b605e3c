"""A stock Moonlight core as a program: commands in as JSON lines, answers out as JSON lines.

moonlight-common-c keeps its state in globals and its HTTP side lives in moonlight-python, so each client under test
is a process of its own: ``python moonlight_core.py CONFIG_FOLDER``. Every command is answered by exactly one line
``{"ok": ..., ...}`` or ``{"error": ...}``. Never imported by the product: moonlight-python is GPL.
"""

import json
import os
import secrets
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from xml.etree import ElementTree as ET

import av
import cffi
import moonlight_python
import numpy as np
from moonlight_python.http_client import NvHTTP
from moonlight_python.identity import Identity
from moonlight_python.pairing import pair
from moonlight_python.stream import CDEF

from punktfunk.realtime.capture import barcode

PATIENCE = float(os.environ.get("PUNKTFUNK_TEST_PATIENCE", "1"))  # see harness.py
MORE = """
typedef struct _RTP_VIDEO_STATS { uint32_t packetCountVideo; uint32_t packetCountFec; uint32_t packetCountFecRecovered;
    uint32_t packetCountFecFailed; uint32_t packetCountOOS; uint32_t packetCountInvalid; uint32_t packetCountFecInvalid;
} RTP_VIDEO_STATS;
typedef struct _RTP_AUDIO_STATS { uint32_t packetCountAudio; uint32_t packetCountFec; uint32_t packetCountFecRecovered;
    uint32_t packetCountFecFailed; uint32_t packetCountOOS; uint32_t packetCountInvalid; uint32_t packetCountFecInvalid;
} RTP_AUDIO_STATS;
const RTP_VIDEO_STATS* LiGetRTPVideoStats(void);
const RTP_AUDIO_STATS* LiGetRTPAudioStats(void);
bool LiGetEstimatedRttInfo(uint32_t* estimatedRtt, uint32_t* estimatedRttVariance);
uint32_t LiGetHostFeatureFlags(void);
typedef struct _SS_HDR_METADATA { uint16_t words[13]; } SS_HDR_METADATA;
bool LiGetHdrMetadata(SS_HDR_METADATA* metadata);
int LiSendMousePositionEvent(short x, short y, short referenceWidth, short referenceHeight);
int LiSendMouseButtonEvent(char action, int button);
int LiSendKeyboardEvent2(short keyCode, char keyAction, char modifiers, char flags);
int LiSendUtf8TextEvent(const char *text, unsigned int length);
int LiSendHighResScrollEvent(short scrollAmount);
int LiSendHighResHScrollEvent(short scrollAmount);
int LiSendTouchEvent(uint8_t eventType, uint32_t pointerId, float x, float y, float pressureOrDistance,
                     float contactAreaMajor, float contactAreaMinor, uint16_t rotation);
int LiSendPenEvent(uint8_t eventType, uint8_t toolType, uint8_t penButtons, float x, float y,
                   float pressureOrDistance, float contactAreaMajor, float contactAreaMinor,
                   uint16_t rotation, uint8_t tilt);
int LiSendMultiControllerEvent(short controllerNumber, short activeGamepadMask, int buttonFlags,
    unsigned char leftTrigger, unsigned char rightTrigger, short leftStickX, short leftStickY,
    short rightStickX, short rightStickY);
int LiSendControllerArrivalEvent(uint8_t controllerNumber, uint16_t activeGamepadMask, uint8_t type,
                                 uint32_t supportedButtonFlags, uint16_t capabilities);
int LiSendControllerTouchEvent(uint8_t controllerNumber, uint8_t eventType, uint32_t pointerId,
                               float x, float y, float pressure);
int LiSendControllerMotionEvent(uint8_t controllerNumber, uint8_t motionType, float x, float y, float z);
int LiSendControllerBatteryEvent(uint8_t controllerNumber, uint8_t batteryState, uint8_t batteryPercentage);
"""
STOCK_CORE = Path(moonlight_python.__file__).parent / "libmoonlight-common-c.so"
OTHER_CORE = "MOONLIGHT_COMMON_C"
"""Names another build, such as one with LC_DEBUG: it drops a shard of every frame and asserts every invariant."""
PULL_RENDERER = 0x20
DIRECT_SUBMIT = 0x1
SLICES_SHIFT = 24
AUDIO = {"stereo": (2, 0x3), "5.1": (6, 0x3F), "7.1": (8, 0x63F)}
FORMATS = {"h264": 0x1, "hevc": 0x100, "av1": 0x1000}
KEPT_FRAMES = 20000


def audio_configuration(name: str) -> int:
    count, mask = AUDIO[name]
    return (mask << 16) | (count << 8) | 0xCA


def packed(value: Any, kind: Any) -> Any:
    """Turn what JSON can say into what cffi takes."""
    if isinstance(value, str):
        return value.encode()
    return bytes([value & 0xFF]) if kind.cname == "char" else value


class Core:
    """moonlight-common-c with callbacks that only note what happened."""

    def __init__(self) -> None:
        self.ffi = cffi.FFI()
        self.ffi.cdef(CDEF + MORE)
        self.lib = self.ffi.dlopen(os.environ.get(OTHER_CORE) or str(STOCK_CORE))
        self.keep: list[Any] = []
        self.stage_failed: list[int] | None = None
        self.terminated: int | None = None
        self.feedback: list[list[Any]] = []
        self.opus: dict[str, Any] = {}
        self.audio_packets: list[bytes] = []
        self.audio_lost = 0
        self.frames: list[dict[str, Any]] = []
        self.last_picture: np.ndarray[Any, Any] | None = None
        self.decode_errors = 0
        self.running = False

    # -- start and stop

    def start(
        self, *, address: str, server: dict[str, Any], url: str, key: bytes, iv: bytes, **o: Any
    ) -> None:
        ffi, lib = self.ffi, self.lib
        information = ffi.new("SERVER_INFORMATION*")
        lib.LiInitializeServerInformation(information)
        texts = [
            ffi.new("char[]", t.encode()) for t in (address, server["appversion"], server["GfeVersion"], url)
        ]
        information.address, information.serverInfoAppVersion = texts[0], texts[1]
        information.serverInfoGfeVersion, information.rtspSessionUrl = texts[2], texts[3]
        information.serverCodecModeSupport = int(server["ServerCodecModeSupport"])
        config = ffi.new("STREAM_CONFIGURATION*")
        lib.LiInitializeStreamConfiguration(config)
        config.width, config.height, config.fps = o["width"], o["height"], o["fps"]
        config.bitrate, config.packetSize = o.get("bitrate_kbps", 10000), o.get("packet_size", 1392)
        config.streamingRemotely = o.get("remote", 0)
        config.audioConfiguration = audio_configuration(o.get("audio", "stereo"))
        config.supportedVideoFormats = FORMATS[o.get("codec", "h264")]
        config.clientRefreshRateX100 = o.get("refresh_x100", 0)
        config.colorSpace, config.colorRange = o.get("color_space", 1), o.get("color_range", 0)
        config.encryptionFlags = o.get("encryption", -1)
        ffi.memmove(config.remoteInputAesKey, key, 16)
        ffi.memmove(config.remoteInputAesIv, iv, 16)
        listener, video, audio = self._listener(), ffi.new("DECODER_RENDERER_CALLBACKS*"), self._audio()
        audio.capabilities |= o.get("audio_capabilities", 0)
        lib.LiInitializeVideoCallbacks(video)
        video.capabilities = (
            PULL_RENDERER | (o.get("slices", 1) << SLICES_SHIFT) | o.get("video_capabilities", 0)
        )
        self.keep += [information, config, texts, listener, video, audio]
        null = ffi.NULL
        result = lib.LiStartConnection(information, config, listener, video, audio, null, 0, null, 0)
        if result != 0:
            raise RuntimeError(f"LiStartConnection {result}, stage {self.stage_failed}")
        self.running = True
        self.decoder = av.CodecContext.create(
            {"av1": "libdav1d"}.get(o.get("codec", "h264"), o.get("codec", "h264")), "r"
        )
        self.decoder.thread_count = 1
        self.decode = o.get("decode", True)
        self.puller = threading.Thread(target=self._pull, daemon=True)
        self.puller.start()

    def stop(self) -> None:
        if self.running:
            self.running = False
            self.lib.LiWakeWaitForVideoFrame()
            self.lib.LiStopConnection()
            self.puller.join(5)

    # -- what the core tells

    def _listener(self) -> Any:
        ffi = self.ffi
        listener = ffi.new("CONNECTION_LISTENER_CALLBACKS*")
        self.lib.LiInitializeConnectionCallbacks(listener)

        def note(name: str) -> Any:
            def call(*arguments: Any) -> None:
                self.feedback.append([name, *[int(a) for a in arguments]])

            return call

        def failed(stage: int, code: int) -> None:
            self.stage_failed = [stage, code]

        def terminated(code: int) -> None:
            self.terminated = code
            self.lib.LiWakeWaitForVideoFrame()

        def triggers(pad: int, flags: int, left_type: int, right_type: int, left: Any, right: Any) -> None:
            data = [ffi.buffer(left, 10)[:].hex(), ffi.buffer(right, 10)[:].hex()]
            self.feedback.append(["adaptive_triggers", pad, flags, left_type, right_type, *data])

        calls = {
            "stageFailed": ffi.callback("void(int, int)", failed),
            "connectionTerminated": ffi.callback("void(int)", terminated),
            "rumble": ffi.callback("void(unsigned short, unsigned short, unsigned short)", note("rumble")),
            "setHdrMode": ffi.callback("void(bool)", note("hdr")),
            "rumbleTriggers": ffi.callback("void(uint16_t, uint16_t, uint16_t)", note("rumble_triggers")),
            "setMotionEventState": ffi.callback("void(uint16_t, uint8_t, uint16_t)", note("motion")),
            "setControllerLED": ffi.callback("void(uint16_t, uint8_t, uint8_t, uint8_t)", note("led")),
            "setAdaptiveTriggers": ffi.callback(
                "void(uint16_t, uint8_t, uint8_t, uint8_t, uint8_t*, uint8_t*)", triggers
            ),
        }
        for name, call in calls.items():
            setattr(listener, name, call)
            self.keep.append(call)
        return listener

    def _audio(self) -> Any:
        ffi = self.ffi
        renderer = ffi.new("AUDIO_RENDERER_CALLBACKS*")
        self.lib.LiInitializeAudioCallbacks(renderer)
        renderer.capabilities = DIRECT_SUBMIT

        def init(_configuration: int, opus: Any, _context: Any, _flags: int) -> int:
            self.opus = {
                "channels": opus.channelCount,
                "streams": opus.streams,
                "coupled": opus.coupledStreams,
                "samples": opus.samplesPerFrame,
                "mapping": [opus.mapping[i] for i in range(opus.channelCount)],
            }
            return 0

        def play(data: Any, length: int) -> None:
            if length <= 0:
                self.audio_lost += 1
            elif len(self.audio_packets) < KEPT_FRAMES:
                self.audio_packets.append(bytes(ffi.buffer(data, length)))

        calls = [
            ffi.callback("int(int, OPUS_MULTISTREAM_CONFIGURATION*, void*, int)", init),
            ffi.callback("void(char*, int)", play),
            ffi.callback("void(void)", lambda: None),
        ]
        renderer.init, renderer.decodeAndPlaySample = calls[0], calls[1]
        renderer.start = renderer.stop = renderer.cleanup = calls[2]
        self.keep += calls
        return renderer

    def _pull(self) -> None:
        handle, unit = self.ffi.new("VIDEO_FRAME_HANDLE*"), self.ffi.new("DECODE_UNIT**")
        while self.running and self.lib.LiWaitForNextVideoFrame(handle, unit):
            data, entry = bytearray(), unit[0].bufferList
            while entry != self.ffi.NULL:
                data += self.ffi.buffer(entry.data, entry.length)
                entry = entry.next
            frame = {
                "frame": unit[0].frameNumber,
                "type": unit[0].frameType,
                "bytes": len(data),
                "received_us": unit[0].receiveTimeUs,
                "latency_tenth_ms": unit[0].frameHostProcessingLatency,
            }
            self.lib.LiCompleteVideoFrame(handle[0], 0)
            if self.decode:
                frame.update(self._decode(bytes(data)))
            if len(self.frames) < KEPT_FRAMES:
                self.frames.append(frame)

    def _decode(self, data: bytes) -> dict[str, Any]:
        try:
            pictures = self.decoder.decode(av.Packet(data))
        except av.error.InvalidDataError:
            self.decode_errors += 1
            return {"decoded": 0}
        if not pictures:
            return {"decoded": 0}
        plane = pictures[-1].planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        self.last_picture = pictures[-1]
        code = barcode.read(luma)
        found = {
            "decoded": len(pictures),
            "width": plane.width,
            "height": plane.height,
            "mean": float(luma[::8, ::8].mean()),
        }
        if code is not None:
            found["number"], found["captured_ns"] = code.frame_number, code.captured_ns
        return found


class Client:
    """The commands."""

    def __init__(self, folder: Path) -> None:
        self.identity = Identity(folder)
        self.folder = folder
        self.core: Core | None = None

    def http(self, o: dict[str, Any]) -> NvHTTP:
        address = f"[{o['address']}]" if ":" in o["address"] else o["address"]
        client = NvHTTP(address, self.identity, http_port=o["port"], https_port=o["port"] - 5)
        client.server_cert_pem = b"any"
        return client

    def server(self, o: dict[str, Any], *, secure: bool = False) -> dict[str, Any]:
        client = self.http(o)
        text = client.open_https("serverinfo") if secure else client.open_http("serverinfo")
        root = ET.fromstring(text)
        return {"status": root.get("status_code"), **{child.tag: child.text for child in root}}

    def do_pair(self, o: dict[str, Any]) -> dict[str, Any]:
        client = self.http(o)
        information = client.parse_server_info(client.get_server_info())
        pair(client, self.identity, o["pin"], information, timeout=o.get("timeout", 30 * PATIENCE))
        return {"paired": True}

    def do_server(self, o: dict[str, Any]) -> dict[str, Any]:
        return self.server(o, secure=o.get("secure", False))

    def do_apps(self, o: dict[str, Any]) -> dict[str, Any]:
        return {"apps": [[a.id, a.name] for a in self.http(o).get_app_list()]}

    def do_art(self, o: dict[str, Any]) -> dict[str, Any]:
        """Fetch an app's picture as it is, and write it to a file."""
        client = self.http(o)
        arguments = f"appid={o['app_id']}&AssetType=2&AssetIdx=0"
        url = client._build_url(client.base_url_https, "appasset", arguments)
        with urlopen(url, timeout=5 * PATIENCE, context=client._make_ssl_context()) as reply:
            Path(o["path"]).write_bytes(reply.read())
            return {"type": reply.headers["Content-Type"]}

    def do_start(self, o: dict[str, Any]) -> dict[str, Any]:
        assert self.core is None, "one connection per process: stop and start another client process"
        self.core = core = Core()
        key, iv = secrets.token_bytes(16), secrets.token_bytes(4) + bytes(12)
        count, mask = AUDIO[o.get("audio", "stereo")]
        extra = core.ffi.string(core.lib.LiGetLaunchUrlQueryParameters()).decode()
        http = self.http(o)
        if not o.get("rtsp_encrypted", True):
            extra = extra.replace("corever=1", "corever=0")
        if o.get("resume"):
            url = http.resume_app(key, iv, (mask << 16) | count, extra)
        else:
            url = http.launch_app(
                o["app_id"],
                o["width"],
                o["height"],
                o["fps"],
                0,
                1,
                key,
                iv,
                (mask << 16) | count,
                launch_query_params=extra,
            )
        assert url, "no session URL"
        o = dict(o)
        server = self.server(o, secure=True)
        o.pop("port"), o.pop("do")
        core.start(server=server, url=url, key=key, iv=iv, **o)
        return {"url": url, "opus": core.opus, "features": core.lib.LiGetHostFeatureFlags()}

    def do_call(self, o: dict[str, Any]) -> dict[str, Any]:
        assert self.core is not None
        results = []
        for name, *arguments in o["calls"]:
            if name == "sleep":
                time.sleep(arguments[0])
                continue
            function = getattr(self.core.lib, name)
            kinds = self.core.ffi.typeof(function).args
            results.append(function(*map(packed, arguments, kinds)))
        return {"results": results}

    def do_wait(self, o: dict[str, Any]) -> dict[str, Any]:
        """Wait until so many more frames came, the stream ended, or the time is up."""
        assert self.core is not None
        start, deadline = len(self.core.frames), time.monotonic() + o.get("seconds", 10)
        while time.monotonic() < deadline and self.core.terminated is None:
            if "frames" in o and len(self.core.frames) - start >= o["frames"]:
                break
            time.sleep(0.01)
        return {"frames": len(self.core.frames) - start, "terminated": self.core.terminated}

    def do_report(self, o: dict[str, Any]) -> dict[str, Any]:
        core = self.core
        assert core is not None
        video, audio = core.lib.LiGetRTPVideoStats(), core.lib.LiGetRTPAudioStats()
        frames = core.frames[o.get("since", 0) :]
        hdr = core.ffi.new("SS_HDR_METADATA*")
        return {
            "hdr": list(hdr.words) if core.lib.LiGetHdrMetadata(hdr) else None,
            "frames": frames,
            "feedback": core.feedback,
            "terminated": core.terminated,
            "decode_errors": core.decode_errors,
            "opus": core.opus,
            "audio_packets": len(core.audio_packets),
            "audio_lost": core.audio_lost,
            "video_stats": [video.packetCountVideo, video.packetCountFec, video.packetCountOOS],
            "audio_stats": [
                audio.packetCountAudio,
                audio.packetCountFec,
                audio.packetCountFecRecovered,
                audio.packetCountFecFailed,
            ],
        }

    def do_audio(self, o: dict[str, Any]) -> dict[str, Any]:
        """Write the Opus packets that arrived, each after a 16-bit length, big-endian."""
        assert self.core is not None
        packets = list(self.core.audio_packets)
        Path(o["path"]).write_bytes(b"".join(struct.pack(">H", len(p)) + p for p in packets))
        return {"packets": len(packets)}

    def do_save(self, o: dict[str, Any]) -> dict[str, Any]:
        assert self.core is not None
        assert self.core.last_picture is not None
        self.core.last_picture.to_image().save(o["path"])
        return {}

    def do_stop(self, _o: dict[str, Any]) -> dict[str, Any]:
        if self.core is not None:
            self.core.stop()
        return {}

    def do_quit(self, o: dict[str, Any]) -> dict[str, Any]:
        self.http(o).quit_app()
        return {}


def main() -> None:
    client = Client(Path(sys.argv[1]))
    # The C library prints to stdout; answers need a channel of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": True, **getattr(client, "do_" + command["do"])(command)}
        except Exception as error:  # noqa: BLE001 -- the test that sent the command judges it
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
    client.do_stop({})
    os._exit(0)  # the core's threads would keep a daemonised decoder alive


if __name__ == "__main__":
    main()
