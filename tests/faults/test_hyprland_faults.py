"""A Hyprland of our own, by a stand-in: it comes, goes, does not start, and is cleared up after a host that was killed."""

import os
from dataclasses import replace

import hyprland_double
import pytest
from sway_session import assert_nothing_left

from punktfunk.control.displays.hyprland.spawned import SpawnedHyprland, short_folder
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.processes import ProcessIdentity, find_by_token
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

pytestmark = [
    pytest.mark.fault,
    pytest.mark.trio,
    pytest.mark.timeout(60),
    pytest.mark.usefixtures("own_temporary_folder"),
    pytest.mark.skipif(os.geteuid() == 0, reason="Hyprland refuses to run as root"),
]
MODE = Mode(1290, 2796, 59_940)
DEAD = ProcessIdentity(2**22 + 1, 1, "gone")


@pytest.fixture
def programs(tmp_path):
    (tmp_path / "bin").mkdir()
    folder = hyprland_double.install(tmp_path / "bin")
    return {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}


async def test_it_comes_and_goes_with_the_stream(tmp_path, programs):
    journal = Journal(tmp_path / "run")
    backend = SpawnedHyprland(journal, environment=programs)
    async with backend.create(MODE, "client") as output:
        assert (output.name, output.mode, output.backend) == ("punktfunk-1", MODE, "hyprland-own")
        token = output.environment["PUNKTFUNK_DISPLAY"]
        assert short_folder(token).is_dir()
        assert (await backend.change_mode(output, Mode(800, 600, 30_000))).mode == Mode(800, 600, 30_000)
    assert_nothing_left(journal, token)
    assert not short_folder(token).exists()


async def test_without_a_gpu_it_says_what_hyprland_said(tmp_path, programs):
    journal = Journal(tmp_path / "run")
    backend = SpawnedHyprland(journal, environment={**programs, "PUNKTFUNK_DOUBLE": "no-gpu"})
    with pytest.raises(EnvironmentProblem, match="CBackend::create") as refused:
        async with backend.create(MODE, "client"):
            pass
    assert "seat" in refused.value.hint
    assert_nothing_left(journal)


async def test_the_next_host_ends_what_a_killed_one_left(tmp_path, programs):
    journal = Journal(tmp_path / "run")
    async with SpawnedHyprland(journal, environment=programs).create(MODE, "client") as output:
        token = output.environment["PUNKTFUNK_DISPLAY"]
        for entry in journal.entries()[0]:
            journal.write(replace(entry, owner=DEAD))
        said = await reclaim(journal)
        assert len(said) == 2
        assert any("processes of an earlier session" in line for line in said)
        assert find_by_token(token) == []
        assert not short_folder(token).exists()
