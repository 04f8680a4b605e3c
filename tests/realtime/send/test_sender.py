import errno
import os
import socket
import threading
import time

import numpy as np
import pytest
from sender_stream import Stream, streaming

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.plan import FrameType, Pacing, SendPlan
from punktfunk.realtime import txtime
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.send.sender import PushStatus, VideoSender
from punktfunk.wire.gamestream.video import (
    BlockPlan,
    FrameInfo,
    Shard,
    build_datagrams,
    parse_datagram,
    parse_frame_header,
    plan_blocks,
)
from punktfunk.wire.gamestream.video_encryption import parse_encrypted

KEY = bytes(range(16))
SO_NO_CHECK = 11
PRODUCTS = gf8.products()
INVERSES = gf8.inverses()


def textbook_parity(data: list[bytes], parity_count: int) -> list[bytes]:
    rows = [np.frombuffer(shard, np.uint8) for shard in data]
    made = []
    for j in range(parity_count):
        total = np.zeros(len(rows[0]), np.uint8)
        for i, row in enumerate(rows):
            total ^= PRODUCTS[INVERSES[(parity_count + i) ^ j]][row]
        made.append(total.tobytes())
    return made


def recover(shards: list[bytes | None], data_count: int, parity_count: int) -> list[bytes]:
    """Solve for the missing data shards: Gauss-Jordan over GF(2^8), as a textbook has it."""
    missing = [i for i in range(data_count) if shards[i] is None]
    present = [j for j in range(parity_count) if shards[data_count + j] is not None][: len(missing)]
    assert len(present) == len(missing)
    matrix = [[int(INVERSES[(parity_count + i) ^ j]) for i in missing] for j in present]
    sums = []
    for j in present:
        total = np.frombuffer(shards[data_count + j], np.uint8).copy()
        for i in range(data_count):
            if shards[i] is not None:
                total ^= PRODUCTS[INVERSES[(parity_count + i) ^ j]][np.frombuffer(shards[i], np.uint8)]
        sums.append(total)
    for pivot in range(len(missing)):
        row = next(r for r in range(pivot, len(missing)) if matrix[r][pivot])
        matrix[pivot], matrix[row] = matrix[row], matrix[pivot]
        sums[pivot], sums[row] = sums[row], sums[pivot]
        scale = int(INVERSES[matrix[pivot][pivot]])
        matrix[pivot] = [int(PRODUCTS[scale, v]) for v in matrix[pivot]]
        sums[pivot] = PRODUCTS[scale][sums[pivot]]
        for r in range(len(missing)):
            factor = matrix[r][pivot]
            if r != pivot and factor:
                matrix[r] = [
                    v ^ int(PRODUCTS[factor, p]) for v, p in zip(matrix[r], matrix[pivot], strict=True)
                ]
                sums[r] = sums[r] ^ PRODUCTS[factor][sums[pivot]]
    whole = list(shards[:data_count])
    for i, total in zip(missing, sums, strict=True):
        whole[i] = total.tobytes()
    return [shard for shard in whole if shard is not None]


def access_unit(shards: list[Shard], size: int) -> bytes:
    return b"".join(shard.payload for shard in shards if not shard.is_parity)[8 : 8 + size]


@pytest.mark.parametrize("packet_bytes", [1392, 1360, 1024, 992])
@pytest.mark.parametrize("size", [1, 967, 968, 25_000, 180_000, 900_000])
def test_datagrams_equal_the_textbook(packet_bytes: int, size: int) -> None:
    frame = os.urandom(size)
    plan = plan_blocks(size, packet_bytes, 20, 2)
    assert isinstance(plan, BlockPlan)
    with streaming(packet_bytes) as stream:
        for index in range(2):
            stream.push(frame, FrameType.IDR, long_term_reference=bool(index))
            got = stream.receive(plan.shard_count)
            latency = parse_frame_header(parse_datagram(got[0]).payload).latency_tenths_ms
            info = FrameInfo(index + 1, FrameType.IDR, index * plan.shard_count, 1234, latency, bool(index))
            assert got == build_datagrams(frame, packet_bytes, plan, info, textbook_parity)


@pytest.mark.parametrize("packet_bytes", [1392, 1360, 1024, 992])
def test_every_single_loss_and_a_full_burst_are_repaired(packet_bytes: int) -> None:
    frame = os.urandom(20_000)
    plan = plan_blocks(len(frame), packet_bytes, 20, 2)
    assert isinstance(plan, BlockPlan)
    (block,) = plan.blocks
    with streaming(packet_bytes) as stream:
        stream.push(frame)
        got = stream.receive(plan.shard_count)
    # Only the bytes that the client keeps of a recovered shard count: NV packet index, flags and the payload.
    kept = [datagram[16:20] + datagram[24:27] + datagram[32:] for datagram in got]
    losses = [{i} for i in range(len(kept))] + [set(range(3, 3 + block.parity_count))]
    for lost in losses:
        shards = [None if i in lost else shard for i, shard in enumerate(kept)]
        assert recover(shards, block.data_count, block.parity_count) == kept[: block.data_count]


@pytest.mark.parametrize("size", [100, 25_000, 300_000])
def test_encrypted_datagrams_open(size: int) -> None:
    frame = os.urandom(size)
    plan = plan_blocks(size, 992, 20, 2)
    assert isinstance(plan, BlockPlan)
    with streaming(992, key=KEY) as stream:
        counters = []
        for index in (1, 2):
            stream.push(frame)
            opened = [parse_encrypted(KEY, datagram) for datagram in stream.receive(plan.shard_count)]
            counters += [counter for counter, _, _ in opened]
            assert {frame_index for _, frame_index, _ in opened} == {index}
            assert access_unit([parse_datagram(shard) for _, _, shard in opened], size) == frame
        assert counters == list(range(2 * plan.shard_count))
        assert stream.sender.next_sequence == 2 * plan.shard_count


def test_a_frame_past_the_ceiling_goes_partly_bare() -> None:
    frame = os.urandom(900_000)
    plan = plan_blocks(len(frame), 1024, 20, 2)
    assert isinstance(plan, BlockPlan)
    assert plan.bare_count == 1
    with streaming() as stream:
        stream.push(frame)
        shards = [parse_datagram(datagram) for datagram in stream.receive(plan.shard_count)]
        assert access_unit(shards, len(frame)) == frame
        assert [shard.sequence for shard in shards] == list(range(len(shards)))
        stream.wait_for("frames", 1)
        assert stream.sender.counters()["bare_blocks"] == 1


def test_nothing_is_sent_before_a_destination_and_then_only_from_an_idr_on() -> None:
    with streaming(addressed=False) as stream:
        stream.push(b"early")
        stream.wait_for("frames_before_destination", 1)
        assert not stream.sender.take_idr_request()
        stream.address()
        assert stream.sender.take_idr_request()
        assert not stream.sender.take_idr_request()
        stream.push(b"predicted", FrameType.PREDICTED)
        stream.wait_for("frames_before_idr", 1)
        assert stream.sender.take_idr_request()
        stream.push(b"first", FrameType.IDR)
        shard = parse_datagram(stream.receive(1)[0])
        assert (shard.frame_index, shard.sequence) == (1, 0)


def test_a_sender_continues_the_stream_of_another() -> None:
    with streaming(key=KEY) as stream:
        assert stream.sender.next_frame_index == 1
        stream.push(b"one")
        stream.push(b"two", FrameType.PREDICTED)
        stream.receive(6)
        stream.wait_for("frames", 2)
        sequence, frame_index = stream.sender.next_sequence, stream.sender.next_frame_index
    assert (sequence, frame_index) == (6, 3)
    with streaming(key=KEY, first_sequence=sequence, first_frame_index=frame_index) as stream:
        stream.push(b"three")
        counter, clear_index, shard = parse_encrypted(KEY, stream.receive(1)[0])
        assert (counter, clear_index) == (6, 3)
        assert (parse_datagram(shard).sequence, parse_datagram(shard).frame_index) == (6, 3)


def test_the_destination_may_change_while_running(stream: Stream) -> None:
    stream.push(b"one")
    assert parse_datagram(stream.receive(3)[0]).frame_index == 1
    stream.wait_for("frames", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(5)
        stream.sender.set_destination(*other.getsockname())
        assert not stream.sender.take_idr_request() or stream.sender.counters()["frames"] == 1
        stream.push(b"two", FrameType.PREDICTED)
        assert parse_datagram(other.recv(2000)).frame_index == 2


def test_ipv6() -> None:
    with streaming(family=socket.AF_INET6) as stream:
        frame = os.urandom(50_000)
        stream.push(frame)
        plan = plan_blocks(len(frame), 1024, 20, 2)
        assert isinstance(plan, BlockPlan)
        shards = [parse_datagram(datagram) for datagram in stream.receive(plan.shard_count)]
        assert access_unit(shards, len(frame)) == frame
        assert stream.sender.counters()["send_mode"] == 0


def test_parity_may_change_while_running(stream: Stream) -> None:
    for percent in (0, 50, 255, 20):
        stream.sender.set_fec_percent(percent)
        plan = plan_blocks(30_000, 1024, percent, 2)
        assert isinstance(plan, BlockPlan)
        stream.push(os.urandom(30_000))
        shards = [parse_datagram(datagram) for datagram in stream.receive(plan.shard_count)]
        assert {shard.percent for shard in shards} == {plan.blocks[0].percent, plan.blocks[-1].percent}
    with pytest.raises(LocalProtocolError):
        stream.sender.set_fec_percent(256)


def test_oversize_frames_send_nothing_and_leave_a_gap(stream: Stream) -> None:
    assert stream.push(bytes(2 << 20)).status is PushStatus.OVERSIZE
    assert stream.sender.take_idr_request()
    stream.push(b"next")
    assert (
        parse_datagram(stream.receive(3)[0]).frame_index == 1
    )  # nothing was seen before, so nothing is missing
    stream.push(bytes(5 << 20))
    stream.push(b"after", FrameType.IDR)
    assert parse_datagram(stream.receive(1)[0]).frame_index == 3
    assert stream.sender.counters()["oversize_frames"] == 2


def test_a_full_ring_drops_the_oldest() -> None:
    plan = SendPlan(1024, 20, 2, None, Pacing.BURST, 16_666_667)
    sender = VideoSender(plan, 0, 1 << 16)
    results = [
        sender.push(bytes(60_000), frame_type=FrameType.IDR, captured_ns=0, encoded_ns=0, timestamp_90k=0)
        for _ in range(20)
    ]
    assert results[0].status is PushStatus.OK
    assert results[-1].status is PushStatus.DROPPED_OLDEST
    assert sum(result.dropped_count for result in results) == sender.counters()["ring_drops"] > 8
    assert sender.take_idr_request()
    sender.close()


def test_pacing_spreads_a_frame_over_the_interval() -> None:
    with streaming(pacing=Pacing.FRAME, interval_ns=40_000_000) as stream:
        plan = plan_blocks(400_000, 1024, 20, 2)
        assert isinstance(plan, BlockPlan)
        stream.push(os.urandom(400_000))
        stream.receive(plan.shard_count)
        stream.wait_for("frames", 1)
        _, encoded_ns, first_ns, last_ns = stream.sender.latencies()[0, :4]
        assert last_ns - first_ns > 25_000_000
        assert first_ns >= encoded_ns


def test_datagrams_carry_their_times_where_the_route_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(txtime, "judge", lambda _kinds: txtime.TxTime(useful=True, reason="fq"))
    with streaming(pacing=Pacing.FRAME, interval_ns=8_000_000) as stream:
        plan = plan_blocks(200_000, 1024, 20, 2)
        assert isinstance(plan, BlockPlan)
        for _ in range(2):
            stream.push(os.urandom(200_000))
            stream.receive(plan.shard_count)
        assert stream.sender._words[layout.WORD_TXTIME] == 1
        assert stream.sender.counters()["send_errors"] == stream.sender.counters()["last_errno"] == 0


def test_stop_is_prompt_in_the_middle_of_a_paced_frame() -> None:
    with streaming(pacing=Pacing.FRAME, interval_ns=10_000_000_000) as stream:
        stream.push(os.urandom(400_000))
        stream.receive(30)
        before = time.monotonic()
        stream.sender.stop()
        stream.join()
        assert time.monotonic() - before < 1
        assert not stream.failures


def test_a_waiting_frame_ends_the_pacing_of_the_one_before() -> None:
    with streaming(pacing=Pacing.FRAME, interval_ns=1_000_000_000, capacity_bytes=1 << 19) as stream:
        stream.push(os.urandom(150_000))
        stream.receive(30)
        stream.push(os.urandom(1000), FrameType.PREDICTED)
        stream.wait_for("frames", 2)
        assert stream.sender.counters()["unpaced_frames"] == 1


def test_without_segmentation_offload_datagrams_go_in_batches() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        client.bind(("127.0.0.1", 0))
        client.settimeout(5)
        sending.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)  # offload needs checksums: EINVAL or EIO
        plan = SendPlan(1024, 20, 2, None, Pacing.BURST, 16_666_667)
        sender = VideoSender(plan, sending.fileno(), 1 << 20)
        sender.set_destination(*client.getsockname())
        thread = threading.Thread(target=sender.run)
        thread.start()
        try:
            frame = os.urandom(40_000)
            sender.push(frame, frame_type=FrameType.IDR, captured_ns=0, encoded_ns=0, timestamp_90k=0)
            blocks = plan_blocks(len(frame), 1024, 20, 2)
            assert isinstance(blocks, BlockPlan)
            shards = [parse_datagram(client.recv(2000)) for _ in range(blocks.shard_count)]
            assert access_unit(shards, len(frame)) == frame
            assert sender.counters()["send_mode"] == 1
            assert sender.counters()["last_errno"] in (errno.EINVAL, errno.EIO)
        finally:
            sender.stop()
            thread.join(5)
            sender.close()


def test_a_closed_socket_is_a_failure_of_the_pipeline() -> None:
    sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fd = os.dup(sending.fileno())
    sending.close()
    plan = SendPlan(1024, 20, 2, None, Pacing.BURST, 16_666_667)
    sender = VideoSender(plan, fd, 1 << 20)
    os.close(fd)
    sender.set_destination("127.0.0.1", 9)
    sender.push(b"frame", frame_type=FrameType.IDR, captured_ns=0, encoded_ns=0, timestamp_90k=0)
    with pytest.raises(PipelineFailed, match="socket"):
        sender.run()
    sender.close()


def test_an_unreachable_destination_is_counted_not_fatal(stream: Stream) -> None:
    stream.sender.set_destination("255.255.255.255", 9)  # EACCES without SO_BROADCAST
    stream.push(b"lost")
    stream.wait_for("lost_datagrams", 3)
    stream.address()
    stream.push(b"found")
    assert parse_datagram(stream.receive(1)[0]).frame_index == 2


@pytest.mark.parametrize(("host", "port"), [("example.org", 1), ("127.0.0.1", 70000), ("::1", 1)])
def test_destinations_that_are_none(stream: Stream, host: str, port: int) -> None:
    with pytest.raises(LocalProtocolError):
        stream.sender.set_destination(host, port)


def test_wrong_plans_are_refused() -> None:
    for packet_bytes, key in ((24, None), (65_000, None), (1024, b"short")):
        with pytest.raises(LocalProtocolError):
            VideoSender(SendPlan(packet_bytes, 20, 2, key, Pacing.BURST, 1), 0, 1024)
