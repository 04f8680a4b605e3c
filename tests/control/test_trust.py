"""The book of paired clients."""

import json

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from punktfunk.control import trust
from punktfunk.control.trust import ClientBook, ClientKind, end_expired, fingerprint_of, tidy_name
from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.wire.native.capabilities import Grant


class Clock:
    now_s = 1_000_000.5

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(tmp_path, clock):
    return ClientBook(tmp_path, wall_clock=clock)


@pytest.mark.trio
async def test_pair_rename_remove_survive_a_restart(book, tmp_path):
    await book.add(b"one", "phone")
    await book.add(b"two", "tablet\n\x1b[31m")
    assert [client.name for client in ClientBook(tmp_path).clients()] == ["phone", "tablet [31m"]
    await book.rename("phone", "  pocket   phone ")
    assert book.find(b"one").name == "pocket phone"
    await book.remove(fingerprint_of(b"two")[:6])
    assert [client.name for client in ClientBook(tmp_path).clients()] == ["pocket phone"]
    assert book.find(b"two") is None
    assert book.find(None) is None
    assert book.find(b"one").added_at_s == 1_000_000


@pytest.mark.trio
async def test_pairing_again_renews(book):
    await book.add(b"one", "phone")
    await book.add(b"one", "phone again")
    assert [client.name for client in book.clients()] == ["phone again"]


@pytest.mark.trio
async def test_selecting_must_be_clear(book):
    await book.add(b"one", "phone")
    await book.add(b"two", "phone")
    with pytest.raises(ConfigError, match="fits several clients"):
        await book.rename("phone", "x")
    for unknown in ("tablet", "", fingerprint_of(b"one")[:3]):
        with pytest.raises(ConfigError, match="No paired client"):
            await book.remove(unknown)


@pytest.mark.trio
async def test_last_seen_is_written_once_an_hour(book, clock, tmp_path):
    await book.add(b"one", "phone")
    on_disk = []
    for second in (3, 10, 3500, 3603, 3650, 7300):
        clock.now_s = 1_000_000 + second
        await book.note_seen(book.find(b"one"))
        assert book.find(b"one").last_seen_s == clock.now_s
        on_disk.append(ClientBook(tmp_path).find(b"one").last_seen_s - 1_000_000)
    assert on_disk == [3, 3, 3, 3603, 3603, 7300]


@pytest.mark.trio
async def test_a_full_disk_keeps_nobody_out_and_pairs_nobody(book, monkeypatch):
    await book.add(b"one", "phone")
    monkeypatch.setattr("os.fsync", lambda _descriptor: (_ for _ in ()).throw(OSError(28, "No space")))
    await book.note_seen(book.find(b"one"))
    with pytest.raises(EnvironmentProblem):
        await book.add(b"two", "tablet")
    assert book.find(b"two") is None


@pytest.mark.trio
async def test_the_book_is_bounded(book, monkeypatch):
    monkeypatch.setattr(trust, "MAXIMUM_CLIENTS", 2)
    await book.add(b"one", "a")
    await book.add(b"two", "b")
    with pytest.raises(ConfigError, match="2 clients are paired already"):
        await book.add(b"three", "c")
    await book.add(b"two", "b again")


def test_nonsense_on_disk_is_set_aside(tmp_path, caplog):
    good = {"fingerprint": "ab" * 32, "name": "x", "added_at_s": 1, "last_seen_s": 0}
    good |= {"kinds": ["native"], "grants": 255, "expires_at_s": 0}
    wrongs = {"fingerprint": "ab"}, {"added_at_s": "1"}, {"more": 1}, {"kinds": ["x"]}, {"grants": "full"}
    for entry in [good | wrong for wrong in wrongs] + [{}]:
        content = {"kind": "clients", "format": 2, "clients": [entry]}
        (tmp_path / "clients.json").write_text(json.dumps(content))
        assert ClientBook(tmp_path).clients() == []
        assert not (tmp_path / "clients.json").exists()
    assert caplog.text.count("set aside") == 6


def test_a_list_of_the_first_format_is_taken_over(tmp_path):
    old = {"fingerprint": "AB" * 32, "name": "deck", "added_at_s": 5, "last_seen_s": 7}
    content = {"kind": "clients", "format": 1, "clients": [old]}
    (tmp_path / "clients.json").write_text(json.dumps(content))
    for _ in range(2):
        (client,) = ClientBook(tmp_path).clients()
        assert client.fingerprint == "ab" * 32
        assert (client.name, client.added_at_s, client.last_seen_s) == ("deck", 5, 7)
        assert (client.kinds, client.grants, client.expires_at_s) == ({"gamestream"}, Grant.ALL, 0)
        assert json.loads((tmp_path / "clients.json").read_text())["format"] == 2
    assert json.loads((tmp_path / "clients.json.format1").read_text()) == content


@pytest.mark.trio
async def test_one_list_for_both_protocols(book, tmp_path):
    await book.add(b"one", "deck")
    key = fingerprint_of(b"one")
    assert book.find(b"one", ClientKind.NATIVE) is None
    await book.add_native(key, "deck", grants=Grant.GAMEPAD, expires_at_s=1_000_060)
    for reader in (book, ClientBook(tmp_path, wall_clock=book.wall_clock)):
        client = reader.admitted(key, ClientKind.NATIVE)
        assert client == reader.find(b"one")
        assert client.kinds == {ClientKind.GAMESTREAM, ClientKind.NATIVE}
        assert (client.grants, client.expires_at_s) == (Grant.GAMEPAD, 1_000_060)
    await book.add(b"one", "deck")  # paired again by GameStream: the owner's word stays
    assert book.known(key).grants == Grant.GAMEPAD
    assert book.known(key).expires_at_s == 1_000_060
    await book.add_native("cd" * 32, "phone")
    assert book.admitted("cd" * 32, ClientKind.GAMESTREAM) is None


@pytest.mark.trio
async def test_time_runs_out_and_is_given_again(book, clock):
    await book.add(b"one", "deck")
    await book.set_rights("deck", expires_at_s=1_000_002)
    assert book.find(b"one") is not None
    clock.now_s += 2
    assert book.find(b"one") is None
    assert book.known(fingerprint_of(b"one")).expired(clock())
    await book.add(b"one", "deck")  # the owner typed its PIN
    assert book.find(b"one").expires_at_s == 0


@pytest.mark.trio
async def test_the_end_of_a_clients_time_is_told_once(book, clock, mock_clock):
    ended = []

    async def note(client):
        ended.append((client.name, trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_expired, book, note)
        await book.add_native("ab" * 32, "phone", expires_at_s=1_000_010)
        await book.add(b"one", "deck")
        for seconds in (10, 10, 15):
            await wait_all_tasks_blocked()
            clock.now_s += seconds
            mock_clock.jump(seconds)
        await wait_all_tasks_blocked()
        assert ended == [("phone", 10)]
        await book.set_rights("deck", expires_at_s=1)
        await wait_all_tasks_blocked()
        assert ended[1:] == [("deck", 35)]
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_changes_are_told_but_not_every_request(book, clock):
    changed = book.changed
    await book.add(b"one", "deck")
    assert changed.is_set()
    changed = book.changed
    clock.now_s += 7200
    await book.note_seen(book.find(b"one"))
    assert not changed.is_set()
    await book.set_rights("deck", grants=Grant.POINTER)
    assert changed.is_set()
    assert book.find(b"one").grants == Grant.POINTER


def test_names_fit_a_terminal():
    assert tidy_name("") == tidy_name("\0\n ") == "Moonlight"
    assert tidy_name("x" * 500) == "x" * 64
    assert tidy_name("a\u202eb\u2066c", "device") == "a b c"
    assert tidy_name("\u200f", "device") == "device"
    assert tidy_name("Wohnzimmer 客厅") == "Wohnzimmer 客厅"
