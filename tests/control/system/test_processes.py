"""Processes are found by what they are, and end within a bound."""

import os
import signal
from dataclasses import replace

import pytest
import trio

from punktfunk.control.system.processes import (
    DISPLAY_VARIABLE,
    end_identities,
    end_process,
    find_by_token,
    is_alive,
    log_tail,
    read_identity,
    signal_identity,
    start_process,
)
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem

TOKEN = "feedfacefeedface"


def environment():
    return {"PATH": os.environ["PATH"], DISPLAY_VARIABLE: TOKEN}


async def comes_true(condition):
    async def ask():
        await trio.lowlevel.checkpoint()
        return condition()

    return await wait_until(ask, 10)


@pytest.mark.trio
async def test_whole_families_are_found_and_ended(tmp_path):
    # The grandchild makes a session of its own and ignores SIGTERM.
    ready = tmp_path / "ready"
    grandchild = f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"
    script = f'setsid sh -c "{grandchild}" & sleep 100'
    process = await start_process(["sh", "-c", script], environment(), tmp_path / "log")
    assert await comes_true(ready.exists)
    found = find_by_token(TOKEN)
    assert len(found) >= 3
    assert process.pid in {identity.pid for identity in found}
    assert await end_identities([one for one in found if one.pid != process.pid], 0.2) == []
    await end_process(process, 1.0)
    # Its last sleep ends by itself.
    assert await comes_true(lambda: find_by_token(TOKEN) == [])


@pytest.mark.trio
async def test_a_reused_pid_is_not_hit(tmp_path):
    process = await start_process(["sleep", "100"], environment(), tmp_path / "log")
    try:
        identity = read_identity(process.pid)
        earlier = replace(identity, start_ticks=identity.start_ticks - 1)
        assert is_alive(identity)
        assert not is_alive(earlier)
        assert not signal_identity(earlier, signal.SIGKILL)
        assert process.poll() is None
    finally:
        await end_process(process, 1.0)
    assert process.returncode == -signal.SIGTERM
    assert read_identity(process.pid) is None


@pytest.mark.trio
async def test_output_is_kept_for_the_error_message(tmp_path):
    process = await start_process(["sh", "-c", "echo out; echo err >&2"], environment(), tmp_path / "log")
    await process.wait()
    assert log_tail(tmp_path / "log") == "out\nerr"
    assert log_tail(tmp_path / "no log") == ""


@pytest.mark.trio
async def test_commands_that_cannot_start(tmp_path):
    with pytest.raises(EnvironmentProblem, match="not installed"):
        await start_process(["no-such-command"], environment(), tmp_path / "log")
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(EnvironmentProblem, match="may not be started"):
        await start_process([str(plain)], environment(), tmp_path / "log")
