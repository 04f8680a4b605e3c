"""``punktfunk loss``: what may be asked, what the sweep makes of it, and what it leaves behind."""

import json
import socket
import subprocess
import sys
import threading

import pytest

from punktfunk.commands import loss as command
from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure.network import netem, report
from punktfunk.measure.network.link import Link, LinkSettings
from punktfunk.measure.network.options import Case, LossOptions
from punktfunk.measure.network.relay import Relay
from punktfunk.measure.network.sweep import by_model, sweep

SHORT = LossOptions(losses=(0.0, 5.0), rates_kbps=(0,), bitrate_kbps=4000, refresh_hz=30, seconds=1.5)


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"losses": (101.0,)}, "--loss 101"),
        ({"bursts": (0,)}, "--burst 0"),
        ({"parities": (95,)}, "--parity 95"),
        ({"bitrate_kbps": 100}, "--bitrate 100"),
        ({"way": "sockets", "bitrate_kbps": 300_000}, "--bitrate 300000"),
        ({"way": "wires"}, "--by wires"),
        ({"scheme": "gf4"}, "--scheme gf4"),
        ({"shard_bytes": 1001}, "--shard-bytes 1001"),
        ({"seconds": 0.0}, "--seconds 0"),
        ({"way": "sockets", "automatic": True}, "--automatic"),
        ({"losses": tuple(range(100)), "bursts": tuple(range(1, 9))}, "cases"),
        ({"losses": (90.0,), "bursts": (3,)}, "bursts of 3"),
    ],
)
def test_what_cannot_be_is_misuse(changes, flag):
    with pytest.raises(Misuse, match=flag) as caught:
        LossOptions(**changes).check()
    assert caught.value.hint


def test_cases_are_all_combinations_but_bursts_of_nothing():
    options = LossOptions(losses=(0.0, 1.0), rates_kbps=(0,), bursts=(1, 8), parities=(None, 20))
    words = [(case.words(), case.fec_percent) for case in options.cases()]
    assert words == [
        ("clean", None), ("clean", 20), ("loss 1 %", None), ("loss 1 %", 20),
        ("loss 1 %, in bursts of 8", None), ("loss 1 %, in bursts of 8", 20),
    ]  # fmt: skip


def test_a_sweep_runs_each_clean_network_once():
    ran, noted = [], []

    def trial(options, case):
        ran.append(case)
        return by_model(options, case)

    rows = list(sweep(SHORT, trial, lambda *step: noted.append(step)))
    assert len(ran) == 2
    assert noted == [(0, 2, "clean"), (1, 2, "loss 5 %")]
    clean, lossy = rows
    assert (clean.lost_packets, clean.added_p99_ms, clean.lost_percent) == (0, 0.0, 0.0)
    assert lossy.lost_packets > 10
    assert lossy.recovered_frames > 3
    assert lossy.parity == "adaptive"


def test_the_same_options_give_the_same_report():
    def written():
        rows = list(sweep(SHORT, by_model, lambda *_step: None))
        return json.dumps(report.as_json(SHORT, rows, [])), report.table(rows)

    assert written() == written()


def test_the_command(tmp_path, capsys):
    target, picture = tmp_path / "deep" / "loss.json", tmp_path / "loss.png"
    command.loss(SHORT, target, picture)
    shown = capsys.readouterr().out
    assert "loss 5 %" in shown
    assert "made up" in shown
    rows = json.loads(target.read_text("utf-8"))["rows"]
    assert [row["case"] for row in rows] == ["clean", "loss 5 %"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(Misuse, match="is a folder"):
        command.loss(SHORT, tmp_path, None)


def test_netem_is_refused_with_a_remedy(monkeypatch):
    monkeypatch.setattr(netem.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(netem.shutil, "which", lambda name: f"/sbin/{name}")
    with pytest.raises(EnvironmentProblem, match="root") as caught:
        netem.check_netem()
    assert "--by sockets" in caught.value.hint
    monkeypatch.setattr(netem.shutil, "which", lambda name: None if name == "tc" else f"/sbin/{name}")
    with pytest.raises(EnvironmentProblem, match="tc"):
        netem.check_netem()


def test_a_kernel_without_netem_is_said_and_nothing_is_left(monkeypatch):
    ran = []

    def run(command, **_options):
        ran.append(command)
        failed = "tc" in command
        return subprocess.CompletedProcess(
            command, int(failed), "", "Error: Specified qdisc kind is unknown."
        )

    monkeypatch.setattr(netem, "check_netem", lambda: None)
    monkeypatch.setattr(netem.subprocess, "run", run)
    with pytest.raises(EnvironmentProblem, match="sch_netem"), netem.namespace(LinkSettings()):
        pass
    assert ran[-1][:3] == ["ip", "netns", "delete"]


def test_netems_words():
    assert netem.netem_words(LinkSettings()) == ["delay", "5ms", "limit", "100000"]
    busy = LinkSettings(
        rate_kbps=12_000, queue_ns=100_000_000, jitter_ns=4_000_000, loss_ppm=10_000, reorder_ppm=20_000
    )
    words = " ".join(netem.netem_words(busy))
    assert words == "delay 7ms 2ms loss random 1% reorder 2% rate 12000kbit limit 100"
    bursts = " ".join(netem.netem_words(LinkSettings(loss_ppm=10_000, burst_packets=8)))
    assert bursts == "delay 5ms loss gemodel 0.12626% 12.5000% limit 100000"


def test_the_relay_forwards_what_its_link_lets_through():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source,
    ):
        for bound in (near, far):
            bound.bind(("127.0.0.1", 0))
        near.setblocking(False)  # noqa: FBT003
        far.settimeout(5)
        link = Link(LinkSettings(delay_ns=0, loss_ppm=300_000), 3)
        with Relay(link, near, far.getsockname()) as relay:
            for number in range(100):
                source.sendto(bytes((number,)), near.getsockname())
            while link.sent_count < 100:
                relay.take()
            relay.forward()
            counts = relay.counts()
        heard = [far.recv(10)[0] for _ in range(counts["forwarded"])]
    assert counts["lost"] + counts["forwarded"] == 100
    assert 15 < counts["lost"] < 45
    assert heard == sorted(heard)


def test_the_relay_as_a_process():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(20)
        command_line = [
            sys.executable,
            "-m",
            "punktfunk.measure.network.relay",
            '{"seed": 1, "delay_ns": 1000000}',
        ]
        with subprocess.Popen(
            command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            watchdog = threading.Timer(30, child.kill)
            watchdog.start()
            port = int(child.stdout.readline())
            child.stdin.write(f"127.0.0.1 {far.getsockname()[1]}\n")
            child.stdin.flush()
            far.sendto(b"hello", ("127.0.0.1", port))
            assert far.recv(10) == b"hello"
            child.stdin.close()
            assert json.loads(child.stdout.readline())["forwarded"] == 1
            watchdog.cancel()


@pytest.mark.peer
def test_real_sockets_repair_five_percent():
    """The floor of 5 % loss with 25 % parity, over the real sender, relay and receiver."""
    from punktfunk.measure.network.sockets import by_sockets

    options = LossOptions(losses=(5.0,), parities=(25,), bitrate_kbps=20_000, seconds=3.0, way="sockets")
    link = LinkSettings(loss_ppm=50_000)
    outcome = by_sockets(options, Case(link, 25))
    assert outcome.sent_frames == 180
    assert outcome.lost_packets > 100
    assert outcome.corrupt_frames == 0
    assert outcome.lost_frames <= 1
    assert outcome.recovered_shards > 50
