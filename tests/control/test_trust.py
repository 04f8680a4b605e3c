"""The book of paired clients."""

import json

import pytest

from punktfunk.control import trust
from punktfunk.control.trust import ClientBook, fingerprint_of, tidy_name
from punktfunk.errors import ConfigError, EnvironmentProblem


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
    for entry in ({**good, "fingerprint": "ab"}, {**good, "added_at_s": "1"}, {**good, "more": 1}, {}):
        content = {"kind": "clients", "format": 1, "clients": [entry]}
        (tmp_path / "clients.json").write_text(json.dumps(content))
        assert ClientBook(tmp_path).clients() == []
        assert not (tmp_path / "clients.json").exists()
    assert caplog.text.count("set aside") == 4


def test_names_fit_a_terminal():
    assert tidy_name("") == tidy_name("\0\n ") == "Moonlight"
    assert tidy_name("x" * 500) == "x" * 64
    assert tidy_name("Wohnzimmer 客厅") == "Wohnzimmer 客厅"
