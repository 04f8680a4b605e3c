"""One session with one host: what windows, headless runs and measurements use.

    async with open_session(target, identity, options, say) as session:  # of ``opening``
        ...                                # one thread pops session.video, and tells session.frames

Its own tasks (control stream, datagrams, punches, reports, asks, clock) are in ``session_tasks``. It is over
when ``closed`` is set; ``ending`` then says why. Source: punktfunk-1 sections 2.3, 2.5, 2.8 to 2.10 and 2.17.
"""

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import trio

from punktfunk.control.adapt.bitrate import AutomaticBitrate
from punktfunk.control.adapt.budget import stream_ceiling
from punktfunk.control.adapt.ramp import ProbeAsk, ProbeOutcome
from punktfunk.control.adapt.report_window import ReportWindows, Totals
from punktfunk.control.client.audio_queue import AudioPacket, AudioQueue
from punktfunk.control.client.clock_rounds import ClockRounds
from punktfunk.control.client.frame_desk import FrameDesk
from punktfunk.control.client.host_clock import HostClock, SteadyClock
from punktfunk.control.client.news import News
from punktfunk.control.client.options import SessionOptions
from punktfunk.control.client.probing import probe
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.quic import QuicConnection, QuicStream
from punktfunk.errors import PunktfunkError
from punktfunk.plan import Mode
from punktfunk.wire.native.capabilities import CloseCode, HostCap2
from punktfunk.wire.native.control import (
    BitrateChanged,
    ControlMessage,
    InputEdge,
    ProbeResult,
    Reconfigure,
    Reconfigured,
    SetBitrate,
    build_control,
)
from punktfunk.wire.native.datagrams import Datagram, HostTiming, build_datagram
from punktfunk.wire.native.input import KeyEdge, NativeInput
from punktfunk.wire.native.rich_input import RichInput
from punktfunk.wire.native.welcome import Welcome

if TYPE_CHECKING:
    from punktfunk.control.client.endings import ConnectionEnded
    from punktfunk.control.client.receivers import Receiver

JOIN_NS: Final = 2_000_000_000
POSTED_MAX: Final = 512
MODE_SPACING_S: Final = 1.0
LARGEST_NUMBER: Final = 1 << 15
"""Of a mode that a host may name: pixels or hertz."""
MODE_ANSWER_S: Final = 10.0


class ClientSession:
    """A running session. What is not marked as safe for every thread belongs to the Trio thread."""

    def __init__(
        self,
        connection: QuicConnection,
        control_stream: QuicStream,
        messages: MessageStream,
        host: str,
        welcome: Welcome,
        options: SessionOptions,
        video: "Receiver",
    ) -> None:
        self.connection, self.control_stream = connection, control_stream
        self.messages, self.host = messages, host
        self.welcome, self.options, self.video = welcome, options, video
        self.mode = Mode(welcome.width_px, welcome.height_px, welcome.refresh_hz * 1000)
        self.bitrate_kbps = welcome.bitrate_kbps
        self.closed = trio.Event()
        self.ending: ConnectionEnded | None = None
        self.clock = HostClock(SteadyClock.measure(), None, 0)
        self.rounds = ClockRounds(self.clock.steady, self.send_now)
        self.audio = AudioQueue()
        self.news = News()
        self.timings: OrderedDict[int, HostTiming] = OrderedDict()
        self.loss_ppm = 0
        self.parity_percent = welcome.fec_percent
        """Parity that came in the last window, in percent of data; small frames have two shards at least."""
        self._parity_from = (0, 0)
        self.shard_bytes = welcome.shard_bytes
        caps2 = welcome.host_caps2
        self.frames = FrameDesk(
            ReportWindows(
                time.monotonic_ns(),
                every_window=bool(caps2 & HostCap2.DELIVERY_EVERY_WINDOW),
                marks_repeats=bool(caps2 & HostCap2.REPEAT_MARK),
            ),
            self.clock,
            self._completed_count,
            time.monotonic_ns(),
            host,
        )
        self._posted, self.to_send = trio.open_memory_channel[ControlMessage](POSTED_MAX)
        self._audio_came = trio.Event()
        self._reconfigured: Reconfigured | None = None
        self._answered = trio.Event()
        self._last_mode_s = -MODE_SPACING_S
        self.reconfiguring = trio.Lock()
        self.probing = trio.Lock()
        self.resync_wanted = trio.Event()
        self._probe_results: trio.MemorySendChannel[ProbeResult] | None = None
        self.automatic: AutomaticBitrate | None = None
        if not options.bitrate_kbps and welcome.bitrate_kbps:
            mode_kbps = stream_ceiling(welcome.width_px, welcome.height_px, welcome.refresh_hz)
            self.automatic = AutomaticBitrate(
                welcome.bitrate_kbps, welcome.refresh_hz, ceiling_kbps=mode_kbps
            )

    # For every thread.

    def capture_ns(self, pts_ns: int) -> int:
        """Turn a frame's stamp into CLOCK_MONOTONIC of this machine; for every thread."""
        return self.clock.local_ns(pts_ns)

    def host_timing(self, pts_ns: int) -> HostTiming | None:
        """Look up what the host said about a frame; for every thread."""
        return self.timings.get(pts_ns)

    @property
    def clock_offset_ns(self) -> int | None:
        """Host's clock minus ours, None if the host answered no round; for every thread."""
        return None if self.clock.sync is None else self.clock.offset_ns

    def statistics(self) -> dict[str, float]:
        """Numbers of the session so far; for every thread."""
        counters = self.video.counters()
        latencies = sorted(self.frames.latencies_ns.copy())
        sync = self.clock.sync
        seen: dict[str, float] = {
            **counters,
            "loss_ppm": self.loss_ppm,
            "fec_percent": self.parity_percent,
            "bitrate_kbps": self.bitrate_kbps,
            "rtt_ns": (self.connection.round_trip_ns or 0) if sync is None else sync.rtt_ns,
            "clock_offset_ns": self.clock.offset_ns,
            "clock_rtt_ns": 0 if sync is None else sync.rtt_ns,
            "gap_frames": self.frames.gap_count,
            "held_frames": self.frames.held_count,
            "stale_frames": self.frames.stale_count,
            "audio_packets": self.audio.received_count,
            "audio_missing": self.audio.missing_count,
            "audio_restored": self.audio.restored_count,
            "audio_dropped": self.audio.dropped_count,
        }
        if latencies:
            seen["latency_p50_ns"] = latencies[len(latencies) // 2]
            seen["latency_p99_ns"] = latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)]
        return seen

    # For the Trio thread.

    def post(self, message: ControlMessage) -> None:
        """Send a control message, in order, without waiting. A stream that is stuck is given up."""
        try:
            self._posted.send_nowait(message)
        except trio.WouldBlock:
            self.connection.close(1, "the control stream is stuck")
        except trio.BrokenResourceError:
            return  # the session has ended

    async def send_now(self, message: ControlMessage) -> None:
        """Send a control message that must not wait behind others."""
        await self.messages.send(build_control(message))

    def send_input(self, event: NativeInput | RichInput) -> None:
        """Send an input event; keys go the reliable way toward hosts that take it."""
        if isinstance(event, KeyEdge) and self.welcome.host_caps2 & HostCap2.INPUT_EDGES:
            self.post(InputEdge(event))
        else:
            self.connection.send_datagram(build_datagram(event))

    def send_datagram(self, value: Datagram) -> bool:
        """Send a side message, such as MicFrame; False if it was dropped."""
        return self.connection.send_datagram(build_datagram(value))

    def request_keyframe(self) -> None:
        """Ask the host for a picture that needs no other."""
        self.frames.request_keyframe()

    async def reconfigure(self, mode: Mode) -> Mode:
        """Ask for another mode and wait for the answer; PunktfunkError if the host refuses."""
        async with self.reconfiguring:
            await trio.sleep(max(0.0, self._last_mode_s + MODE_SPACING_S - trio.current_time()))
            self._last_mode_s = trio.current_time()
            self._answered, self._reconfigured = trio.Event(), None
            refresh_hz = max(1, round(mode.refresh_millihertz / 1000))
            self.post(Reconfigure(mode.width_px, mode.height_px, refresh_hz))
            with trio.move_on_after(MODE_ANSWER_S):
                await self._answered.wait()
            answer = self._reconfigured
            if answer is None or not answer.accepted:
                said = "refused" if answer is not None else "did not answer the request for"
                raise PunktfunkError(f"{self.host} {said} the mode {mode}", hint=f"It stays at {self.mode}.")
            return self.mode

    def take_mode(self, answer: Reconfigured) -> None:
        """Take Reconfigured, asked for or not."""
        if all(
            0 < number <= LARGEST_NUMBER for number in (answer.width_px, answer.height_px, answer.refresh_hz)
        ):
            self.mode = Mode(answer.width_px, answer.height_px, answer.refresh_hz * 1000)
        self._reconfigured = answer
        self._answered.set()
        self.news.put(answer)

    async def receive_audio(self) -> list[AudioPacket]:
        """Wait for sound and take all that came, in order."""
        while not len(self.audio):
            self._audio_came = trio.Event()
            await self._audio_came.wait()
        await trio.lowlevel.checkpoint()
        return self.audio.take()

    def audio_came(self) -> None:
        """Wake whoever waits for sound."""
        self._audio_came.set()

    async def receive_news(self) -> list[Any]:
        """Wait for what else the host says (rumble, cursor, access, launch, modes ...) and take it all."""
        return await self.news.take()

    async def probe(self, target_kbps: int, duration_ms: int) -> ProbeOutcome | None:
        """Send filler through the link and tell what arrived; None if the host never answered."""
        return await probe(self, ProbeAsk(target_kbps, duration_ms))

    def await_probe(self) -> "trio.MemoryReceiveChannel[ProbeResult]":
        """Open a channel for the result of the burst that is asked for next."""
        self._probe_results, results = trio.open_memory_channel[ProbeResult](1)
        return results

    def take_probe_result(self, result: ProbeResult) -> None:
        """Take a burst's result; one that nobody waits for is ignored."""
        if self._probe_results is not None:
            try:
                self._probe_results.send_nowait(result)
            except (trio.WouldBlock, trio.BrokenResourceError):
                return

    def take_bitrate(self, kbps: int, reason: int | None) -> None:
        """Take BitrateChanged, asked for or not."""
        self.bitrate_kbps = kbps
        if self.automatic is not None:
            self.automatic.on_bitrate_changed(kbps, reason, time.monotonic_ns())
        self.news.put(BitrateChanged(kbps, reason))

    def ask_bitrate(self, kbps: int | None) -> None:
        """Ask for a bitrate; None asks for nothing."""
        if kbps is not None:
            self.post(SetBitrate(kbps))

    def quit(self) -> None:
        """Leave for good: the host takes its display down at once."""
        self.connection.close(CloseCode.QUIT, "quit")

    def pause(self) -> None:
        """Leave for now: the host keeps the display and its programs for a while."""
        self.connection.close(0, "pause")

    def note_parity(self, received_count: int) -> None:
        """Estimate the parity of the last window; ``received_count`` are packets of the session so far."""
        received = received_count - self._parity_from[0]
        data = self.frames.data_count - self._parity_from[1]
        self._parity_from = (received_count, self.frames.data_count)
        if data:
            sent = received * 1_000_000 // max(1, 1_000_000 - self.loss_ppm)
            self.parity_percent = round(max(0, sent - data) * 100 / data)

    def totals(self) -> Totals:
        """Counters for the report windows."""
        counters = self.video.counters()
        return Totals(
            recovered_count=counters["recovered_shards"],
            late_count=counters["late_shards"],
            received_count=counters["packets"] - counters["probe_packets"],
            dropped_frame_count=counters["dropped_frames"],
            media_bytes=counters["media_bytes"],
        )

    def _completed_count(self) -> int:
        counters = self.video.counters()
        return counters["frames"] - counters["flushed_frames"] - counters["ring_drops"]
