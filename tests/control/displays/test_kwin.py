"""The KWin backend against a double that speaks its protocols, in both of their generations."""

from dataclasses import replace

import pytest
import trio
from kwin_world import running_kwin

from punktfunk.control.displays.kwin.restore import KIND
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.system.journal import new_entry
from punktfunk.control.system.processes import ProcessIdentity, read_identity
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, Mode, PipeWireSource

PHONE = Mode(1290, 2796, 60000)
pytestmark = pytest.mark.trio
OLD = {"screencast": 5, "device": 20, "management": 17}
NEW = {"screencast": 6, "device": 23, "management": 21}


@pytest.fixture(params=[OLD, NEW], ids=["old", "new"])
def kwin(request, tmp_path):
    with running_kwin(tmp_path, **request.param) as kwin:
        yield kwin


@pytest.fixture
def new_kwin(tmp_path):
    with running_kwin(tmp_path, **NEW) as kwin:
        yield kwin


async def test_output_of_the_clients_size_lives_as_long_as_the_block(kwin):
    backend = kwin.backend()
    assert (await backend.probe()).available
    async with backend.create(PHONE, "a phone") as output:
        state = kwin.state()
        made = state["outputs"][output.name]
        assert made == {"mode": [1290, 2796, 60000], "place": [1920, 0], "enabled": True, "scale": 1.0}
        assert output.mode == PHONE
        assert output.notes == ()
        assert (output.region.x, output.region.width, output.region.height) == (1920, 1290, 2796)
        assert state["order"] == ["DP-1", output.name]
        assert state["streams"][0]["description"] == "punktfunk"
        assert output.environment["WAYLAND_DISPLAY"] == "wayland-7"
        assert isinstance(output.source, PipeWireSource)
        assert output.source.remote == f"{kwin.folder}/pipewire-0"
        # New windows open where the pointer is.
        assert state["input"][-1] == ["pointer_motion_absolute", 1920 + 645, 1398]
    state = kwin.state()
    assert list(state["outputs"]) == ["DP-1"]
    assert state["streams"] == []
    assert kwin.journal.entries() == ([], [])


async def test_both_generations_of_the_node_event(tmp_path):
    for folder, version in ((tmp_path / "five", 5), (tmp_path / "six", 6)):
        folder.mkdir()
        with running_kwin(folder, screencast=version) as kwin:
            async with kwin.backend(cursor=CursorMode.METADATA).create(PHONE, "x") as output:
                expected = (44, False) if version == 5 else (1 << 32 | 44, True)
                assert (output.source.target, output.source.is_serial) == expected
                assert kwin.state()["streams"][0]["pointer"] == 4


@pytest.mark.parametrize("millihertz", [59940, 120000, 144000, 240000])
async def test_refresh_by_a_custom_mode(new_kwin, millihertz):
    mode = Mode(1280, 720, millihertz)
    async with new_kwin.backend().create(mode, "x") as output:
        assert output.mode == mode
        assert output.notes == ()
        assert new_kwin.state()["outputs"][output.name]["mode"] == [1280, 720, millihertz]


async def test_rounded_mode_is_told(tmp_path):
    with running_kwin(tmp_path, **NEW, cvt=True) as kwin:
        async with kwin.backend().create(Mode(1290, 2796, 120000), "x") as output:
            assert output.mode == Mode(1288, 2796, 119700)
            assert output.notes == ("KWin gives 1288x2796, not what was asked for: 1290x2796@120",)


async def test_refresh_that_an_old_kwin_cannot_do_is_told(tmp_path):
    with running_kwin(tmp_path, **OLD) as kwin:
        async with kwin.backend().create(Mode(1280, 720, 120000), "x") as output:
            assert output.mode == Mode(1280, 720, 60000)
            assert output.notes == ("KWin gives 60 Hz, not the 120 Hz that were asked for",)
        # Half of the pictures are had from PipeWire.
        async with kwin.backend().create(Mode(1280, 720, 30000), "x") as output:
            assert output.mode == Mode(1280, 720, 30000)


async def test_custom_modes_that_come_to_nothing_leave_the_size_right(tmp_path):
    with running_kwin(tmp_path, **NEW, refuse_modes=True) as kwin:
        with trio.fail_after(20):
            async with kwin.backend().create(Mode(1280, 720, 120000), "x") as output:
                assert kwin.state()["outputs"][output.name]["mode"] == [1280, 720, 60000]
                assert output.mode == Mode(1280, 720, 60000)
                assert len(kwin.state()["outputs"]) == 2


async def test_mode_change_in_place(new_kwin):
    backend = new_kwin.backend(scale=2.0)
    async with backend.create(PHONE, "x") as output:
        changed = await backend.change_mode(output, Mode(2560, 1440, 120000))
        assert changed.name == output.name
        assert changed.mode == changed.source.mode == Mode(2560, 1440, 120000)
        assert (changed.region.width, changed.region.height) == (1280, 720)
        assert len(new_kwin.state()["streams"]) == 1


async def test_mode_change_where_kwin_must_make_it_anew(tmp_path):
    with running_kwin(tmp_path, **OLD) as kwin:
        backend = kwin.backend()
        async with backend.create(PHONE, "x") as output:
            changed = await backend.change_mode(output, Mode(1280, 720, 60000))
            assert changed.mode == Mode(1280, 720, 60000)
            assert list(kwin.state()["outputs"]) == ["DP-1", changed.name]
        assert list(kwin.state()["outputs"]) == ["DP-1"]


@pytest.mark.parametrize(
    ("position", "ours", "theirs"),
    [
        ("right", [1920, 0], [0, 0]),
        ("left", [0, 0], [640, 0]),
        ("above", [0, 0], [0, 360]),
        ("below", [0, 1080], [0, 0]),
    ],
)
async def test_position_and_scale(new_kwin, position, ours, theirs):
    backend = new_kwin.backend(position=position, scale=2.0)
    async with backend.create(Mode(1280, 720, 60000), "x") as output:
        outputs = new_kwin.state()["outputs"]
        assert outputs[output.name]["place"] == ours
        assert outputs[output.name]["scale"] == 2.0
        assert outputs["DP-1"]["place"] == theirs
        assert (output.region.width, output.region.height) == (640, 360)
    assert new_kwin.state()["outputs"]["DP-1"]["place"] == [0, 0]


async def test_primary_and_back(kwin):
    async with kwin.backend(arrangement="primary").create(PHONE, "x") as output:
        state = kwin.state()
        assert state["order"][0] == output.name
        assert state["outputs"]["DP-1"]["enabled"]
    assert kwin.state()["order"] == ["DP-1"]


async def test_exclusive_and_back(kwin):
    async with kwin.backend(arrangement="exclusive").create(PHONE, "x") as output:
        outputs = kwin.state()["outputs"]
        assert not outputs["DP-1"]["enabled"]
        assert outputs[output.name]["place"] == [0, 0]
        [entry] = kwin.journal.entries()[0]
        assert (entry.kind, entry.details) == (KIND, {"DP-1": "0,0,on"})
    assert kwin.state()["outputs"]["DP-1"]["enabled"]
    assert kwin.journal.entries() == ([], [])


async def test_others_stay_on_although_kwin_remembers_them_dark(tmp_path):
    with running_kwin(tmp_path, **NEW, darken=True, monitors=["DP-1", "DP-2"]) as kwin:
        async with kwin.backend().create(PHONE, "x"):
            outputs = kwin.state()["outputs"]
            assert outputs["DP-1"]["enabled"]
            assert outputs["DP-2"]["enabled"]


async def test_last_of_two_clients_puts_the_desktop_back(new_kwin):
    backend = new_kwin.backend(arrangement="exclusive")
    async with backend.create(PHONE, "second") as second:
        async with backend.create(PHONE, "first") as first:
            assert first.name != second.name
            outputs = new_kwin.state()["outputs"]
            assert outputs[second.name]["enabled"]
            assert outputs[first.name]["place"] == [1290, 0]
        assert not new_kwin.state()["outputs"]["DP-1"]["enabled"]
    assert new_kwin.state()["outputs"]["DP-1"]["enabled"]


async def test_same_client_twice_has_two_outputs(new_kwin):
    backend = new_kwin.backend()
    async with backend.create(PHONE, "x") as one, backend.create(PHONE, "x") as two:
        assert one.name + "-b" == two.name


async def test_a_stored_setting_that_refuses_the_usual_name_is_avoided(tmp_path):
    with running_kwin(tmp_path, **NEW, refuse_names=["punktfunk-2d711642"]) as kwin:
        async with kwin.backend().create(PHONE, "x") as output:
            assert output.name == "Virtual-punktfunk-2d711642-b"


@pytest.mark.parametrize(
    ("reason", "hint"),
    [("Unsupported compositing type", "render node"), ("Could not find output", "6.5.6"), ("Nein", "GPU")],
)
async def test_refusal_is_explained(tmp_path, reason, hint):
    with running_kwin(tmp_path, **NEW, refuse=reason) as kwin:
        with pytest.raises(EnvironmentProblem, match=reason) as caught:
            async with kwin.backend().create(PHONE, "x"):
                pass
        assert hint in caught.value.hint
        assert kwin.journal.entries() == ([], [])


async def test_kwin_that_lets_nobody_in_names_the_command(tmp_path):
    with running_kwin(tmp_path, screencast=0) as kwin:
        found = await kwin.backend().probe()
        assert not found.available
        assert "not installed" in found.reason
        assert "punktfunk plasma install" in found.hint
        with pytest.raises(EnvironmentProblem, match="neither add a display nor send input") as caught:
            async with kwin.backend().create(PHONE, "x"):
                pass
        assert "punktfunk plasma install" in caught.value.hint


async def test_no_kwin(tmp_path):
    with running_kwin(tmp_path) as kwin:
        environment = kwin.backend()
        kwin.end()
        found = await environment.probe()
        assert not found.available
        assert found.reason == "no Plasma session (KWin) of this user runs"


async def test_desktop_of_a_host_that_died_is_put_back(new_kwin):
    entry = new_entry(
        KIND,
        socket_path=new_kwin.path,
        outputs_before=("DP-1",),
        processes=(read_identity(new_kwin.pid),),
        details={"DP-1": "0,0,on", "DP-9": "nonsense"},
    )
    new_kwin.journal.write(replace(entry, owner=ProcessIdentity(1 << 22, 1, "no boot")))
    said = await reclaim(new_kwin.journal)
    assert said == ["the displays of Plasma are arranged as before (DP-1)"]
    assert ["enable", "DP-1", 1] in new_kwin.state()["applied"][-1]
    assert new_kwin.journal.entries() == ([], [])


async def test_session_ends_although_kwin_died(new_kwin):
    with trio.fail_after(10):
        async with new_kwin.backend(arrangement="exclusive").create(PHONE, "x"):
            new_kwin.end()
    assert new_kwin.journal.entries() == ([], [])
