"""Outputs of a Hyprland, through a stand-in for its control socket in each of its languages."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hyprland_double import SIGNATURE, HyprlandDouble, Shown

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.hyprland import layout
from punktfunk.control.displays.hyprland.attached import AttachedHyprland
from punktfunk.control.displays.hyprland.dialect import Rule
from punktfunk.control.displays.hyprland.instances import find_instances
from punktfunk.control.displays.hyprland.ipc import (
    HyprlandIpc,
)
from punktfunk.control.displays.hyprland.layout import KIND, build_rule
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.system.journal import Journal, new_entry
from punktfunk.control.system.processes import ProcessIdentity, read_identity
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, WaylandSource

pytestmark = pytest.mark.trio
MODE = Mode(1290, 2796, 59940)
DEAD = ProcessIdentity(2**22 + 1, 1, "gone")


@pytest.fixture
def short_folder():
    """A folder with a path that leaves room for names of sockets."""
    with tempfile.TemporaryDirectory(prefix="hypr-") as name:
        yield Path(name)


@pytest.fixture(params=["hyprlang", "both", "lua"])
async def double(request, short_folder, nursery):
    served = HyprlandDouble(short_folder, request.param)
    await nursery.start(served.run)
    return served


@pytest.fixture
def short_waits(monkeypatch):
    """Give Hyprland moments, not seconds: its answers come over a socket, in real time."""
    monkeypatch.setattr(layout, "SETTLE_S", 0.05)
    monkeypatch.setattr(layout, "AGAIN_S", 0.02)


def backend(double, tmp_path, **options):
    return AttachedHyprland(
        Journal(tmp_path / "pf"), options=DisplayOptions(**options), environment=double.environment
    )


async def test_an_output_of_the_clients_mode_comes_and_goes(double, tmp_path):
    made = backend(double, tmp_path, position="left", scale=1.5)
    found = await made.probe()
    assert found.available
    assert "runs as process" in found.reason
    async with made.create(MODE, "client") as output:
        assert output.name == "punktfunk-1"
        assert output.mode == MODE
        assert output.source == WaylandSource(str(double.folder / "wayland-1"), "punktfunk-1", MODE)
        assert output.environment["DISPLAY"] == ":7"
        assert output.environment["HYPRLAND_INSTANCE_SIGNATURE"] == SIGNATURE
        shown = double.monitors["punktfunk-1"]
        assert (shown.position, shown.scale) == ("auto-left", 1.5)
        assert double.focused == "punktfunk-1"
        changed = await made.change_mode(output, Mode(800, 600, 144000))
        assert changed.mode == changed.source.mode == Mode(800, 600, 144000)
        assert (shown.width, shown.height, shown.hertz) == (800, 600, 144.0)
        async with made.create(MODE, "another") as second:
            assert second.name == "punktfunk-2"
    assert set(double.monitors) == {"DP-1"}
    assert made._journal.entries() == ([], [])
    assert list((tmp_path / "pf").iterdir()) == [tmp_path / "pf" / "journal"]


async def test_exclusive_switches_the_others_off_and_on_as_they_were(double, tmp_path):
    before = Shown(3840, 2160, 60.0, 2048, -5, 2.0, transform=1, ten_bit=True)
    copy = Shown(1920, 1080, mirror="DP-1")
    double.monitors |= {"HDMI-A-1": before, "DP-2": Shown(disabled=True), "DP-3": copy}
    wanted = {name: replace(shown) for name, shown in double.monitors.items()}
    made = backend(double, tmp_path, arrangement="exclusive")
    async with made.create(MODE, "client"):
        assert all(shown.disabled for name, shown in double.monitors.items() if name != "punktfunk-1")
        async with made.create(MODE, "second") as second:
            assert not double.monitors["punktfunk-1"].disabled
            assert second.name == "punktfunk-2"
    for name, shown in double.monitors.items():
        assert replace(shown, position="auto") == wanted[name], name


async def test_monitors_stay_off_while_another_exclusive_session_runs(double, tmp_path):
    made = backend(double, tmp_path, arrangement="exclusive")
    first, second = made.create(MODE, "first"), made.create(MODE, "second")
    await first.__aenter__()
    await second.__aenter__()
    await first.__aexit__(None, None, None)
    assert double.monitors["DP-1"].disabled
    await second.__aexit__(None, None, None)
    assert not double.monitors["DP-1"].disabled
    assert (double.monitors["DP-1"].width, double.monitors["DP-1"].scale) == (2560, 1.25)


async def test_after_a_crash_the_next_start_puts_everything_back(double, tmp_path):
    journal = Journal(tmp_path / "pf")
    double.monitors |= {"punktfunk-1": Shown(by_user=True)}
    double.monitors["DP-1"].disabled = True
    rule = Rule("DP-1", Mode(2560, 1440, 143970), "0x0", 1.25)
    entry = new_entry(
        KIND,
        socket_path=find_instances(double.environment)[0].control_path,
        output_name="punktfunk-1",
        processes=(read_identity(os.getpid()),),
        details={"": "", "DP-1": build_rule(rule)},
    )
    journal.write(replace(entry, owner=DEAD))
    assert await reclaim(journal) == ["removed output punktfunk-1 and switched DP-1 on again"]
    assert set(double.monitors) == {"DP-1"}
    assert not double.monitors["DP-1"].disabled
    assert journal.entries() == ([], [])


async def test_what_cannot_be_removed_stays_in_the_journal(double, tmp_path, short_waits):
    made = backend(double, tmp_path)
    async with made.create(MODE, "client"):
        double.stuck.add("punktfunk-1")
    (entry,) = made._journal.entries()[0]
    assert entry.output_name == "punktfunk-1"
    double.stuck.clear()
    made._journal.write(replace(entry, owner=DEAD))
    assert await reclaim(made._journal) == ["removed output punktfunk-1"]


async def test_a_mode_that_does_not_come_is_an_error_and_leaves_nothing(double, tmp_path, short_waits):
    double.stuck.add("punktfunk-1")
    made = backend(double, tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"asked for 1290x2796@59\.94 .* shows 1920x1080@60"):
        async with made.create(MODE, "client"):
            pass
    double.stuck.clear()


async def test_a_hyprland_that_names_outputs_itself(tmp_path, short_folder, nursery):
    double = HyprlandDouble(short_folder, own_names=True)
    await nursery.start(double.run)
    async with backend(double, tmp_path).create(MODE, "client") as output:
        assert (output.name, output.mode) == ("HEADLESS-2", MODE)
    assert set(double.monitors) == {"DP-1"}


async def test_without_hyprland_the_reason_says_so(short_folder):
    found = await AttachedHyprland(
        Journal(short_folder), environment={"XDG_RUNTIME_DIR": str(short_folder)}
    ).probe()
    assert (found.available, found.reason) == (False, "no Hyprland session of this user runs")
    folder = short_folder / "hypr" / "old"
    folder.mkdir(parents=True)
    (folder / "hyprland.lock").write_text(f"{DEAD.pid}\nwayland-1\n")
    assert find_instances({"XDG_RUNTIME_DIR": str(short_folder)}) == []


async def test_a_refusal_is_told_in_hyprlands_words(double):
    ipc = HyprlandIpc(find_instances(double.environment)[0].control_path)
    with pytest.raises(EnvironmentProblem, match="cannot remove a real display"):
        await ipc.run("output remove DP-1")
    with pytest.raises(EnvironmentProblem, match="no Hyprland answers"):
        await HyprlandIpc(str(double.folder / "nothing")).version()
