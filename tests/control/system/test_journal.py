"""Entries survive the way to disk; broken ones are set aside, dead owners are found."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.system.journal import KIND, Entry, Journal, build_entry, new_entry, parse_entry
from punktfunk.control.system.processes import ProcessIdentity, read_identity
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

IDENTITIES = st.builds(
    ProcessIdentity, st.integers(1, (1 << 31) - 1), st.integers(0, 1 << 62), st.text(max_size=40)
)
TEXT = st.text(max_size=30)
ENTRIES = st.builds(
    Entry,
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    st.from_regex(KIND, fullmatch=True),
    IDENTITIES,
    TEXT,
    TEXT,
    st.lists(TEXT, max_size=5).map(tuple),
    TEXT,
    st.lists(IDENTITIES, max_size=5).map(tuple),
    st.dictionaries(TEXT, TEXT, max_size=5),
)


@given(ENTRIES)
def test_round_trip(entry):
    assert parse_entry(build_entry(entry)) == entry


@given(st.binary(max_size=200))
def test_garbage(data):
    with pytest.raises(RemoteProtocolError):
        parse_entry(data)


@given(ENTRIES, st.data())
def test_truncated_and_flipped(entry, data):
    whole = build_entry(entry)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(RemoteProtocolError):
        parse_entry(whole[:end])
    flipped = bytearray(whole)
    flipped[end] ^= 1 << data.draw(st.integers(0, 7))
    try:
        parse_entry(bytes(flipped))
    except RemoteProtocolError:
        return


@pytest.mark.parametrize("token", ["../../../../etc/x", "A" * 16, "0" * 15])
def test_a_token_names_no_other_file(token):
    with pytest.raises(RemoteProtocolError):
        parse_entry(build_entry(replace(new_entry("spawned"), token=token)))


def test_written_private_and_removed(tmp_path):
    journal = Journal(tmp_path / "run")
    entry = journal.write(new_entry("spawned", folder="/x").with_process(os.getpid()))
    (path,) = journal.folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert journal.entries() == ([entry], [])
    assert entry.processes == (read_identity(os.getpid()),)
    assert journal.orphans() == ([], [])
    journal.remove(entry.token)
    journal.remove(entry.token)
    assert journal.entries() == ([], [])


def test_entries_of_the_dead_are_orphans(tmp_path):
    journal = Journal(tmp_path)
    mine = new_entry("output")
    for owner in (
        replace(mine.owner, start_ticks=mine.owner.start_ticks + 1),
        replace(mine.owner, boot_id="another boot"),
    ):
        journal.write(replace(new_entry("output"), owner=owner))
    journal.write(mine)
    found, _ = journal.orphans()
    assert len(found) == 2
    assert mine not in found


def test_broken_entries_are_set_aside_and_named(tmp_path):
    journal = Journal(tmp_path)
    journal.write(new_entry("spawned"))
    (journal.folder / "0123.json").write_bytes(b"\xff{")
    found, refused = journal.entries()
    assert len(found) == 1
    assert refused[0].startswith("0123.json: ")
    assert (journal.folder / "0123.broken").exists()
    assert journal.entries() == (found, [])


def test_nothing_is_made_that_cannot_be_journalled(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="cannot write the journal"):
        Journal(tmp_path / "file").write(new_entry("spawned"))
