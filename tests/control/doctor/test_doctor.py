import json
from types import SimpleNamespace

import pytest

from punktfunk.commands.doctor import lines_of
from punktfunk.config import Settings
from punktfunk.control import doctor
from punktfunk.control.doctor.displays import capture_finding, compositor_finding, no_compositor
from punktfunk.control.doctor.finding import Answer, Finding, Status, run_command
from punktfunk.control.doctor.machine import examine_kernels, examine_realtime, try_fifo
from punktfunk.control.doctor.network import examine_buffers, examine_ports
from punktfunk.control.doctor.picture import encoder_findings, examine_audio, examine_gpu, sway_version
from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import Codec


def report(codec=Codec.H264, name="libx264", *, hardware=False, reason="first that works", refused=()):
    return SimpleNamespace(codec=codec, encoder_name=name, hardware=hardware, reason=reason, refused=refused)


def test_only_a_missing_vital_thing_stops_serve():
    def finding(status, *, vital):
        return Finding("x", status, "found", vital=vital)

    assert doctor.can_stream([finding(Status.DEGRADED, vital=True), finding(Status.MISSING, vital=False)])
    assert not doctor.can_stream([finding(Status.OK, vital=True), finding(Status.MISSING, vital=True)])


def test_the_report_shows_consequence_and_remedy():
    findings = [
        Finding("ports", Status.OK, "free"),
        Finding("realtime", Status.DEGRADED, "refused\x1b[2K", "Late.", "do this\nthen that"),
    ]
    lines = lines_of(findings, colours=False)
    assert lines[0] == "ok        ports     free"
    assert lines[1] == r"degraded  realtime  refused\x1b[2K"
    assert [line.strip() for line in lines[2:5]] == ["Late.", "> do this", "> then that"]
    assert lines[-1].strip() == "serve can stream; 1 lines above could be better"


def test_no_h264_encoder_is_fatal_and_no_av1_encoder_is_not():
    h264, av1 = encoder_findings([report(name=None), report(Codec.AV1, None)])
    assert (h264.status, h264.vital) == (Status.MISSING, True)
    assert (av1.status, av1.vital) == (Status.MISSING, False)


def test_software_encoders_are_told_with_their_price():
    h264, hevc = encoder_findings([report(), report(Codec.HEVC, "libx265")])
    assert "CPU encodes" in h264.consequence
    assert "software_hevc = true" in hevc.consequence
    (hardware,) = encoder_findings([report(name="h264_nvenc", hardware=True)])
    assert hardware.status is Status.OK


def test_refused_encoders_are_named_with_a_short_reason():
    refusal = SimpleNamespace(encoder_name="h264_nvenc", reason="Cannot load libcuda.so.1\n" + "x" * 500)
    (finding,) = encoder_findings([report(refused=[refusal])])
    assert finding.found == "libx264: first that works; not h264_nvenc: Cannot load libcuda.so.1"
    refusal.reason = "y" * 500
    (finding,) = encoder_findings([report(name=None, refused=[refusal])])
    assert finding.found.endswith("yyy...")
    assert len(finding.found) < 120


def test_the_installed_sway_tells_its_version():
    assert sway_version(lambda _: Answer(0, "sway version 1.10.1-1\n")) == "1.10.1"
    assert sway_version(lambda _: None) == ""


def gpu(root, name="renderD128", vendor="0x8086", driver="i915", mode=0o666):
    node = root / "sys/class/drm" / name
    (node / "device").mkdir(parents=True)
    (node / "device/vendor").write_text(f"{vendor}\n")
    (root / "drivers" / driver).mkdir(parents=True)
    (node / "device/driver").symlink_to(root / "drivers" / driver)
    (root / "dev/dri").mkdir(parents=True, exist_ok=True)
    (root / "dev/dri" / name).touch()
    (root / "dev/dri" / name).chmod(mode)


def test_gpus_are_named_with_what_they_do(tmp_path):
    gpu(tmp_path)
    (finding,) = examine_gpu([report(name="h264_vaapi", hardware=True)], tmp_path)
    assert finding.status is Status.OK
    assert finding.found.startswith("renderD128 Intel (i915). Pictures pass through shared memory")
    assert finding.found.endswith("Encodes: h264_vaapi")


def test_without_a_gpu_the_cpu_encodes(tmp_path):
    (finding,) = examine_gpu([report()], tmp_path)
    assert finding.status is Status.DEGRADED
    assert "the CPU does" in finding.found


def test_a_closed_render_node_is_told_with_the_group(tmp_path, monkeypatch):
    gpu(tmp_path)
    monkeypatch.setattr("os.access", lambda *_: False)
    (finding,) = examine_gpu([report()], tmp_path)
    assert "usermod -aG render,video" in finding.remedy


def test_the_test_card_is_a_degraded_compositor():
    assert compositor_finding("sway", "sway 1.7").status is Status.OK
    assert compositor_finding("testcard", "no sway").status is Status.DEGRADED
    refused = no_compositor(EnvironmentProblem("display attach: no sway runs", hint="start sway"))
    assert (refused.vital, refused.remedy) == (True, "start sway")


@pytest.mark.parametrize(
    ("version", "protocol"),
    [
        ("1.7", "wlr-screencopy"),
        ("1.10.1", "wlr-screencopy"),
        ("1.12", "ext-image-copy-capture-v1"),
        ("", "wlr-"),
    ],
)
def test_capture_follows_the_compositors_version(version, protocol):
    assert capture_finding("sway", version).found.startswith(protocol)


def test_sound_is_described():
    assert "tone with the test card" in examine_audio("auto").found
    assert examine_audio("silence").found.endswith("silence")


@pytest.mark.parametrize(
    ("text", "status"),
    [("212992\n", Status.DEGRADED), ("4194304\n", Status.OK), ("junk", Status.OK), (None, Status.OK)],
)
def test_socket_buffers(tmp_path, text, status):
    (tmp_path / "sys/net/core").mkdir(parents=True)
    if text is not None:
        (tmp_path / "sys/net/core/wmem_max").write_text(text)
    finding = examine_buffers(tmp_path)
    assert finding.status is status
    assert ("sysctl -w" in finding.remedy) is (status is Status.DEGRADED)


def test_free_ports_are_listed(tmp_path):
    (tmp_path / "net").mkdir()
    assert "47998/udp" in examine_ports(47989, ["::"], proc=tmp_path).found


def test_our_own_running_host_is_no_obstacle(monkeypatch):
    holder = SimpleNamespace(process="punktfunk", pid=12)
    monkeypatch.setattr("punktfunk.control.doctor.network.port_holders", lambda *_, **__: [holder])
    assert examine_ports(47989, ["::"]).status is Status.OK
    holder.process = "sunshine"
    monkeypatch.setattr("punktfunk.control.doctor.network.remedy", lambda _: "stop it")
    assert examine_ports(47989, ["::"]).vital


def test_realtime_depends_on_what_the_kernel_says(tmp_path):
    assert examine_realtime(0).status is Status.OK
    assert examine_realtime(20, lambda _: "").found.startswith("SCHED_FIFO priority 20")
    bare = examine_realtime(20, lambda _: "Operation not permitted", tmp_path)
    assert "rtprio" in bare.remedy
    assert "rtkit" in bare.remedy
    (tmp_path / "usr/libexec").mkdir(parents=True)
    (tmp_path / "usr/libexec/rtkit-daemon").touch()
    (tmp_path / "run/dbus").mkdir(parents=True)
    (tmp_path / "run/dbus/system_bus_socket").touch()
    assert "SCHED_RR" in examine_realtime(20, lambda _: "Operation not permitted", tmp_path).found


def test_trying_leaves_this_thread_as_it_was():
    import os

    before = os.sched_getscheduler(0)
    try_fifo(1)
    assert os.sched_getscheduler(0) == before


def test_kernels_are_cold_checked_or_wrong():
    def wrong():
        raise PunktfunkError("gf8 differs from its twin")

    cold = examine_kernels(lambda: False, wrong, lambda: "avx2")
    assert (cold.status, cold.remedy) == (Status.DEGRADED, "punktfunk warm")
    assert examine_kernels(lambda: True, lambda: None, lambda: "avx2").found.startswith("avx2")
    assert examine_kernels(lambda: True, wrong, lambda: "avx2").vital
    lost = examine_kernels(lambda: False, wrong, lambda: "avx2", lambda: ("the cache is read-only",))
    assert lost.found == "the cache is read-only"


def test_commands_that_are_missing_or_fail_do_not_matter():
    assert run_command(["no-such-program-anywhere"]) is None
    answer = run_command(["sh", "-c", "echo out; exit 3"])
    assert (answer.exit_code, answer.output) == (3, "out\n")


def test_json_of_the_whole_report(monkeypatch, capsys):
    from punktfunk.commands import doctor as command

    monkeypatch.setattr(
        command, "examine", lambda _settings, _progress: [Finding("x", Status.MISSING, "y", vital=True)]
    )
    assert command.doctor(None, None, as_json=True) is False
    told = json.loads(capsys.readouterr().out)
    assert told["can_stream"] is False
    assert told["findings"][0]["status"] == "missing"


def test_examine_asks_every_part(monkeypatch):
    monkeypatch.setattr(
        doctor,
        "realtime",
        SimpleNamespace(
            probe_encoders=lambda _wanted: [report()],
            probe_sound=None,
            is_warm=lambda: False,
            self_check=None,
            simd_mode=None,
            seal_choice=None,
            cache_problems=tuple,
        ),
    )
    looked = []
    findings = doctor.examine(Settings(display="testcard"), looked.append)
    assert looked == ["compositor", "encoders", "network", "kernels"]
    assert [finding.check for finding in findings] == [
        "compositor",
        "displays",
        "capture",
        "input",
        "gamepads",
        "GPU",
        "encoder h264",
        "audio",
        "ports",
        "firewall",
        "socket buffers",
        "realtime",
        "FEC",
    ]
