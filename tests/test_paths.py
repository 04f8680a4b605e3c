import os
from pathlib import Path

import pytest

from punktfunk import paths
from punktfunk.errors import EnvironmentProblem


@pytest.fixture(autouse=True)
def xdg(monkeypatch, tmp_path):
    for variable, folder in {
        "XDG_STATE_HOME": "state",
        "XDG_CONFIG_HOME": "config",
        "XDG_CACHE_HOME": "cache",
        "XDG_RUNTIME_DIR": "run",
    }.items():
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.delenv("PUNKTFUNK_CONFIG", raising=False)
    return tmp_path


def test_folders_follow_the_xdg_variables(xdg):
    assert paths.default_state_folder() == xdg / "state/punktfunk"
    assert paths.config_file() == xdg / "config/punktfunk/config.toml"
    assert paths.cache_folder() == xdg / "cache/punktfunk"
    assert paths.runtime_folder(paths.default_state_folder()) == xdg / "run/punktfunk"


def test_without_variables_the_home_folder_is_used(monkeypatch, tmp_path):
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.default_state_folder() == tmp_path / ".local/state/punktfunk"
    assert paths.config_file() == tmp_path / ".config/punktfunk/config.toml"
    assert paths.cache_folder() == tmp_path / ".cache/punktfunk"


def test_relative_xdg_values_are_ignored_as_the_specification_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "somewhere")
    assert paths.default_state_folder() == tmp_path / ".local/state/punktfunk"


def test_a_variable_names_another_settings_file(monkeypatch):
    monkeypatch.setenv("PUNKTFUNK_CONFIG", "/etc/punktfunk.toml")
    assert paths.config_file() == Path("/etc/punktfunk.toml")


def test_another_state_folder_has_another_socket_and_runtime_folder(tmp_path):
    ours, other = paths.default_state_folder(), tmp_path / "other"
    assert paths.admin_socket(other) == other / "admin.sock"
    assert paths.runtime_folder(other) != paths.runtime_folder(ours)
    assert paths.runtime_folder(other) == paths.runtime_folder(other)


def test_a_socket_path_too_long_for_the_kernel_moves_to_the_runtime_folder(xdg, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    long = xdg / ("x" * 120)
    socket = paths.admin_socket(long)
    assert socket.parent == Path("/run/user/1000/punktfunk")
    assert len(os.fsencode(socket)) <= paths.UNIX_PATH_BYTES
    assert socket != paths.admin_socket(xdg / ("y" * 120))


def test_the_longest_path_that_fits_stays_in_the_state_folder(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")  # pytest's own folders grow longer with every run
    state = Path("/" + "s" * (paths.UNIX_PATH_BYTES - len("//admin.sock")))
    assert len(str(paths.admin_socket(state))) == paths.UNIX_PATH_BYTES
    assert paths.admin_socket(state).parent == state
    assert paths.admin_socket(Path(f"{state}s")).parent != Path(f"{state}s")


def test_a_runtime_folder_too_long_as_well_is_an_error(xdg, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "r" * 120)
    with pytest.raises(EnvironmentProblem, match="107"):
        paths.admin_socket(xdg / ("x" * 120))


def test_private_folders_are_made_0700(tmp_path):
    made = paths.make_private_folder(tmp_path / "a/b")
    assert made.stat().st_mode & 0o777 == 0o700
    assert paths.make_private_folder(made) == made


def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(EnvironmentProblem, match="written to by others"):
        paths.make_private_folder(tmp_path)


def test_a_folder_in_the_way_of_a_file_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="cannot make the folder"):
        paths.make_private_folder(tmp_path / "file/state")
