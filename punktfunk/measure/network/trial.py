"""One case over real sockets: the production sender, a network, the production receiver.

    python -m punktfunk.measure.network.trial '{"stream": {...}, "seconds": 20, "port": 40001}'

It prints where it receives (``{"port": 40002}``), sends to ``port`` of this machine (0: to itself, as netem
is in its own loopback), and then prints what became of the stream. Frames hold a pattern that depends on
their index, and every one that comes is compared. Requests for recovery and reports go from end to end at
once.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punktfunk import realtime
from punktfunk.control.adapt.budget import encoder_bitrate, frame_ceiling
from punktfunk.control.adapt.client_loss import ClientLoss
from punktfunk.control.adapt.fec import AdaptiveFec, FrameShape
from punktfunk.control.adapt.host_recovery import HostRecovery, SendIdr
from punktfunk.control.adapt.report_window import ReportWindows, Totals
from punktfunk.measure.network.host_model import SECOND_NS, StreamSettings
from punktfunk.measure.network.recording import Facts, Writer, rows_of_log
from punktfunk.plan import FrameType, MediaCipher, NativeSendPlan, Pacing, RealtimePlan, ReceivePlan
from punktfunk.wire.native.packet import FecScheme

if TYPE_CHECKING:
    from punktfunk.realtime import ReceivedFrame

_KEY: Final = bytes(range(16))
_SALT: Final = bytes(4)
_PERIOD: Final = 251
_POP_NS: Final = 20_000_000
_SETTLE_S: Final = 0.4
_JOIN_NS: Final = 2_000_000_000
_KEY_FRAME_TIMES: Final = 4
_BUFFER_BYTES: Final = 4 << 20
_LOG_ROWS: Final = 1 << 15


class Stream:
    """Both ends. ``run`` sends from this thread, another one receives."""

    def __init__(
        self, stream: StreamSettings, near: socket.socket, far: socket.socket, record: Path | None
    ) -> None:
        self._stream = stream
        geometry = stream.geometry()
        usual_bytes = stream.bitrate_kbps * 125 // stream.refresh_hz
        self._pattern = bytes(range(_PERIOD)) * (_KEY_FRAME_TIMES * usual_bytes // _PERIOD + 2)
        pacing = Pacing.FRAME if stream.smooth else Pacing.BURST
        settled = geometry.data_max, int(geometry.fec_scheme), geometry.welcome_percent
        sealed = MediaCipher.AES_128_GCM, _KEY, _SALT
        self.sender = realtime.NativeSender(
            NativeSendPlan(stream.shard_bytes, *settled, *sealed, pacing, stream.interval_ns),
            far.fileno(),
            _KEY_FRAME_TIMES * usual_bytes + stream.shard_bytes,
        )
        ceiling = frame_ceiling(stream.bitrate_kbps, stream.refresh_hz)
        self.receiver = realtime.VideoReceiver(
            ReceivePlan(stream.shard_bytes, *settled, *sealed, ceiling),
            near.fileno(),
            RealtimePlan(),
            packet_log_rows=_LOG_ROWS if record else 0,
        )
        self._log_position = 0
        self._record = record
        self.fec = AdaptiveFec(geometry.welcome_percent, fixed=stream.fec_percent is not None)
        self.recovery = HostRecovery(can_invalidate=False)
        self.loss = ClientLoss(time.monotonic_ns())
        self._windows = ReportWindows(time.monotonic_ns())
        self._lock = threading.Lock()
        self._captured_ns: list[int] = []
        self._sizes: list[int] = []
        self._ended = threading.Event()
        self.frames: list[tuple[int, int, int, int, bool]] = []
        self.corrupt_count = self.freezes = self.frozen_ns = 0
        self.key_frames = self.asks = self.data_packets = 0
        self._frozen_since_ns: int | None = None

    def run(self, target: tuple[str, int], duration_ns: int) -> None:
        """Send for so long, and wait for what is on its way."""
        self.receiver.start()
        self.sender.set_destination(*target)
        threads = [threading.Thread(target=self.sender.run, name="pf-send")]
        threads.append(threading.Thread(target=self._receive, name="pf-decode"))
        for thread in threads:
            thread.start()
        native_id = threads[0].native_id
        assert native_id is not None
        realtime.promote("pf-send", native_id, RealtimePlan())
        try:
            self._send(duration_ns)
            time.sleep(_SETTLE_S)
        finally:
            self._ended.set()
            self.sender.stop()
            for thread in threads:
                thread.join()
            self.receiver.stop(_JOIN_NS)

    def _send(self, duration_ns: int) -> None:
        began_ns = time.monotonic_ns()
        for index in range(duration_ns // self._stream.interval_ns):
            tick_ns = began_ns + index * self._stream.interval_ns
            time.sleep(max(0, tick_ns - time.monotonic_ns()) / SECOND_NS)
            with self._lock:
                key = index == 0 or isinstance(self.recovery.decide(tick_ns), SendIdr)
                percent = self.fec.percent
                if index == 0:
                    self.recovery.on_idr(tick_ns)
            self.key_frames += key
            self.sender.set_fec_percent(percent)
            size = self._frame_bytes(percent, key=key)
            now_ns = time.monotonic_ns()
            self._captured_ns.append(now_ns)
            self._sizes.append(size)
            self.data_packets += -(-size // self._stream.shard_bytes)
            frame_type = FrameType.IDR if key else FrameType.PREDICTED
            unit = memoryview(self._pattern)[index % _PERIOD :][:size]
            times = {"captured_ns": now_ns, "encoded_ns": now_ns, "pts_ns": time.time_ns()}
            self.sender.push(unit, frame_type=frame_type, **times)

    def _frame_bytes(self, percent: int, *, key: bool) -> int:
        stream = self._stream
        kbps = encoder_bitrate(stream.bitrate_kbps, 0, percent, stream.shard_bytes)
        usual = kbps * 125 // stream.refresh_hz
        data_count = max(1, usual // stream.shard_bytes)
        block = min(data_count, stream.geometry().data_max)
        self.fec.shape = FrameShape(data_count, block, float(stream.refresh_hz))
        return usual * (_KEY_FRAME_TIMES if key else 1)

    def _receive(self) -> None:
        stream, geometry = self._stream, self._stream.geometry()
        settled = geometry.data_max, int(geometry.fec_scheme), geometry.welcome_percent
        facts = Facts(stream.shard_bytes, *settled, stream.bitrate_kbps, stream.refresh_hz)
        with nullcontext() if self._record is None else Writer(self._record, facts) as writer:
            self._receive_into(writer)

    def _receive_into(self, writer: Writer | None) -> None:
        while not self._ended.is_set():
            if writer is not None:
                rows, self._log_position = self.receiver.packets(self._log_position)
                writer.write(rows_of_log(rows))
            frame = self.receiver.pop(_POP_NS)
            now_ns = time.monotonic_ns()
            with self._lock:
                if frame is not None:
                    self._take(frame)
                self._look(now_ns)

    def _take(self, frame: "ReceivedFrame") -> None:
        index = frame.frame_index
        begin = index % _PERIOD
        whole = self._pattern[begin : begin + self._sizes[index]] == frame.access_unit
        self.corrupt_count += not whole
        verdict = self.loss.on_frame(index, frame.user_flags, frame.complete_ns)
        if verdict.ask is not None:
            self.asks += 1
            self.recovery.on_ask(verdict.ask, frame.complete_ns)
        latency_ns = frame.complete_ns - self._captured_ns[index]
        row = index, frame.complete_ns, latency_ns, frame.recovered_count, verdict.present
        self.frames.append(row)

    def _look(self, now_ns: int) -> None:
        counts = self.receiver.counters()
        asks = self.loss.tick(now_ns), self.loss.on_dropped_total(counts["dropped_frames"], now_ns)
        for ask in asks:
            if ask is not None:
                self.asks += 1
                self.recovery.on_ask(ask, now_ns)
        if self.loss.frozen and self._frozen_since_ns is None:
            self._frozen_since_ns = now_ns
            self.freezes += 1
        elif not self.loss.frozen and self._frozen_since_ns is not None:
            self.frozen_ns += now_ns - self._frozen_since_ns
            self._frozen_since_ns = None
        names = "recovered_shards", "late_shards", "packets", "dropped_frames"
        report = self._windows.poll(Totals(*(counts[name] for name in names)), now_ns)
        if report is not None and report.loss_ppm is not None:
            self.fec.on_loss_report(report.loss_ppm, keyframe_asked=self.recovery.take_asked())

    def outcome(self) -> dict[str, Any]:
        """Say what became of it, in plain values."""
        sent, received = self.sender.counters(), self.receiver.counters()
        return {
            "sent_frames": len(self._sizes),
            "sent_packets": sent["datagrams"],
            "parity_packets": sent["datagrams"] - self.data_packets,
            "lost_packets": max(0, sent["datagrams"] - received["packets"]),
            "frames": self.frames,
            "freezes": self.freezes,
            "frozen_ns": self.frozen_ns,
            "key_frames": self.key_frames,
            "asks": self.asks,
            "recovered_shards": received["recovered_shards"],
            "late_shards": received["late_shards"],
            "duration_ns": len(self._sizes) * self._stream.interval_ns,
            "last_kbps": self._stream.bitrate_kbps,
            "corrupt_frames": self.corrupt_count,
        }


def run(values: Mapping[str, Any]) -> None:
    """Do what the parent asked."""
    settings = dict(values["stream"])
    stream = StreamSettings(**settings | {"fec_scheme": FecScheme(settings["fec_scheme"])})
    realtime.prepare_process()
    kind = socket.AF_INET, socket.SOCK_DGRAM
    with socket.socket(*kind) as near, socket.socket(*kind) as far:
        near.bind(("127.0.0.1", 0))
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        port = near.getsockname()[1]
        both = Stream(stream, near, far, Path(values["record"]) if values.get("record") else None)
        print(json.dumps({"port": port}), flush=True)
        sys.stdin.readline()  # the relay has its target
        both.run(("127.0.0.1", values["port"] or port), round(values["seconds"] * SECOND_NS))
        print(json.dumps(both.outcome()), flush=True)


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
