"""One host per state folder."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from punktfunk.control.lock import LOCK_NAME, state_lock
from punktfunk.errors import EnvironmentProblem


def test_the_second_is_told_who_has_it(tmp_path):
    with state_lock(tmp_path):
        with (
            pytest.raises(EnvironmentProblem, match=f"process {os.getpid()}") as problem,
            state_lock(tmp_path),
        ):
            pass
        assert "--state" in problem.value.hint
        assert (tmp_path / LOCK_NAME).stat().st_mode & 0o777 == 0o600
    with state_lock(tmp_path):
        pass


def test_the_folder_is_made(tmp_path):
    with state_lock(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_a_shorter_number_replaces_a_longer_one(tmp_path):
    (tmp_path / LOCK_NAME).write_text("123456789012345\n")
    with state_lock(tmp_path):
        assert (tmp_path / LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_a_killed_holder_frees_it(tmp_path):
    program = (
        "import sys; from pathlib import Path; from punktfunk.control.lock import state_lock\n"
        "with state_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(EnvironmentProblem, match=str(child.pid)), state_lock(tmp_path):
            pass
        child.kill()
    with state_lock(tmp_path):
        pass


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(EnvironmentProblem, match="No locks available"), state_lock(tmp_path):
        pass
