"""Whose node is the default: sessions that come and go in any order, users who choose, hosts that die."""

from types import SimpleNamespace

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.sound.defaults import KIND, DefaultNode, undo
from punktfunk.control.sound.servers import pipewire_path, pulse_path
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundRole, SoundServerKind

SERVER = SoundServerKind.PIPEWIRE


class Server:
    """One sound server's defaults, as ``change_default`` sees them."""

    def __init__(self, configured="", effective="card"):
        self.configured = configured
        self.effective = effective
        self.is_gone = False

    def __call__(self, _path, _role, name, *, only_if=None):
        if self.is_gone:
            raise EnvironmentProblem("nobody answers")
        before = SimpleNamespace(configured=self.configured, effective=self.configured or self.effective)
        if name is not None and only_if in (None, self.configured):
            self.configured = name
        return before

    def find(self, _kind):
        return self


def node(journal, server, name):
    return DefaultNode(journal, SoundRole.SINK, name, server.find)


@pytest.mark.trio
async def test_the_default_is_put_back_and_the_journal_is_empty(tmp_path):
    journal, server, path = Journal(tmp_path), Server("speakers"), str(tmp_path / "pipewire-0")
    async with node(journal, server, "ours") as default:
        await default.take(SERVER, path)
        assert server.configured == "ours"
        assert default.before == "speakers"
        server.configured = ""  # the server came back and knows nothing
        await default.take(SERVER, path)
        assert server.configured == "ours"
        assert len(journal.entries()[0]) == 1
    assert server.configured == "speakers"
    assert journal.entries() == ([], [])


@pytest.mark.trio
async def test_what_somebody_chose_meanwhile_stays(tmp_path):
    journal, server = Journal(tmp_path), Server()
    async with node(journal, server, "ours") as default:
        await default.take(SERVER, str(tmp_path / "p"))
        server.configured = "headphones"
    assert server.configured == "headphones"


@pytest.mark.trio
async def test_a_second_session_plays_here_on_the_real_device(tmp_path):
    journal, server, path = Journal(tmp_path), Server("", "card"), str(tmp_path / "p")
    async with node(journal, server, "a") as first:
        await first.take(SERVER, path)
        async with node(journal, server, "b") as second:
            await second.take(SERVER, path)
            assert (first.before, second.before) == ("card", "card")
        assert server.configured == "a"
    assert server.configured == ""


@pytest.mark.trio
async def test_a_server_that_is_gone_is_put_right_later_or_never(tmp_path):
    journal, server = Journal(tmp_path), Server("speakers")
    async with node(journal, server, "ours") as default:
        await default.take(SERVER, str(tmp_path / "p"))
        server.is_gone = True
    ((entry,), _) = journal.entries()
    server.is_gone = False
    assert "is speakers again" in await undo(journal, entry, server.find)
    assert server.configured == "speakers"
    async with node(journal, server, "ours") as default:
        await default.take(SERVER, "/nowhere/at/all/p")  # a private session, gone with its folder
        server.is_gone = True
    assert journal.entries() == ([], [])


@pytest.mark.trio
async def test_an_entry_that_makes_no_sense_is_forgotten(tmp_path):
    from punktfunk.control.system.journal import new_entry

    journal = Journal(tmp_path)
    for details in ({}, {"role": "x", "server": "y"}):
        entry = journal.write(new_entry(KIND, output_name="n", details=details))
        assert "no sense" in await undo(journal, entry, Server().find)
    assert journal.entries() == ([], [])


@settings(max_examples=20)
@given(st.permutations(range(4)), st.booleans())
def test_after_any_order_of_ends_and_deaths_the_user_has_his_default(tmp_path_factory, order, died):
    folder = tmp_path_factory.mktemp("journal")
    journal, server, path = Journal(folder), Server("mine"), str(folder / "p")

    async def main():
        nodes = [node(journal, server, f"n{number}") for number in range(4)]
        for default in nodes:
            await default.take(SERVER, path)
        if died:
            entries, _ = journal.entries()
            for number in order:
                await undo(journal, entries[number], server.find)
        else:
            for number in order:
                await nodes[number].__aexit__()

    trio.run(main)
    assert server.configured == "mine"
    assert journal.entries() == ([], [])


def test_sockets_are_where_the_libraries_look():
    assert pipewire_path({"XDG_RUNTIME_DIR": "/run/x"}) == "/run/x/pipewire-0"
    assert pipewire_path({"PIPEWIRE_RUNTIME_DIR": "/p", "PIPEWIRE_REMOTE": "other"}) == "/p/other"
    assert pipewire_path({"PIPEWIRE_REMOTE": "/a/b"}) == "/a/b"
    assert pipewire_path({}, "/s/pipewire-0") == "/s/pipewire-0"
    assert pulse_path({"XDG_RUNTIME_DIR": "/run/x"}) == "/run/x/pulse/native"
    assert pulse_path({"PULSE_SERVER": "unix:/a/native"}) == "/a/native"
    assert pulse_path({"PULSE_SERVER": "{0123}unix:/a/native"}) == "/a/native"
    assert pulse_path({"PULSE_SERVER": "tcp:far:4713"}) == ""
    assert pulse_path({"PULSE_RUNTIME_PATH": "/r"}) == "/r/native"
    assert pulse_path({"PULSE_SERVER": "x"}, "/s/pipewire-0") == "/s/pulse/native"
