"""Grants and durations as people write them; what a session may do while they change."""

import typing
from contextlib import suppress

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from native_world import PHONE, TABLET, Clock

from punktfunk.control.native.access import GRANT_OF, Access
from punktfunk.control.native.rights import describe_grants, parse_duration_s, parse_grants
from punktfunk.control.trust import ClientBook
from punktfunk.errors import ConfigError
from punktfunk.wire import input as vocabulary
from punktfunk.wire.input import Key, MouseMove
from punktfunk.wire.native.capabilities import NO_GRANTS, Grant
from punktfunk.wire.native.control import AccessUpdate


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(tmp_path, clock):
    return ClientBook(tmp_path, wall_clock=clock)


@given(st.integers(0, 255).map(Grant))
@settings(max_examples=60)
def test_what_is_described_is_read_again(grants):
    assert parse_grants(describe_grants(grants)) == grants


def test_grants():
    assert parse_grants(" Gamepad, keyboard ") == Grant.GAMEPAD | Grant.KEYBOARD
    assert parse_grants("controller") == Grant.GAMEPAD
    assert parse_grants("view") == NO_GRANTS
    assert describe_grants(Grant.ALL) == "full"
    for wrong in ("", ",", "gamepad,wheel", "full,view", "gamepad;keyboard"):
        with pytest.raises(ConfigError) as caught:
            parse_grants(wrong)
        assert "keyboard" in caught.value.hint


def test_durations():
    known = {"90s": 90, "2m": 120, "1h30m": 5400, " 7D ": 604_800, "1w": 604_800, "never": 0, "forever": 0}
    assert {text: parse_duration_s(text) for text in known} == known
    for wrong in ("", "0s", "12", "2 m", "m", "-1h", "1h-", "999999w", "٣m", "1e3s"):
        with pytest.raises(ConfigError):
            parse_duration_s(wrong)


@given(st.text(st.sampled_from("gamepdkeybor,vil fu-0129mhdws٣ \n"), max_size=20))
@settings(max_examples=60)
def test_any_text_is_read_or_refused(text):
    for parse in (parse_grants, parse_duration_s):
        with suppress(ConfigError):
            assert parse(text) >= 0


def test_every_event_of_the_vocabulary_has_its_grant():
    assert set(typing.get_args(vocabulary.InputEvent)) == set(GRANT_OF)


@pytest.mark.trio
async def test_a_change_counts_for_the_next_event(book):
    await book.add_native(PHONE, "phone", grants=Grant.KEYBOARD)
    access = Access(book, PHONE)
    assert access.allows(Key(65, pressed=True))
    assert not access.allows(MouseMove(1, 1))
    await book.set_rights("phone", grants=Grant.POINTER)
    assert not access.allows(Key(65, pressed=True))
    assert access.allows(MouseMove(1, 1))
    assert not access.allows("something new")
    assert access.refused == {"POINTER": 1, "KEYBOARD": 1, "ALL": 1}
    await book.remove("phone")
    assert "no longer paired" in access.ending
    assert not access.allows(MouseMove(1, 1))


@pytest.mark.trio
async def test_strangers(book):
    await book.add(b"a GameStream client", "deck")
    moonlight = book.clients()[0].fingerprint
    for fingerprint in (None, PHONE, moonlight):
        assert Access(book, fingerprint, stranger=Grant.ALL).grants == Grant.ALL
        assert Access(book, fingerprint).grants == NO_GRANTS
        assert Access(book, fingerprint).ending
    await book.add_native(PHONE, "phone", grants=Grant.GAMEPAD)
    assert Access(book, PHONE, stranger=Grant.ALL).grants == Grant.GAMEPAD


async def kept(access, told, released, ended):
    async def send(update):
        told.append((trio.current_time(), update))

    ended.append(await access.keep(send, narrowed=lambda: released.append(trio.current_time())))
    ended.append(trio.current_time())


@pytest.mark.trio
async def test_the_client_is_warned_and_the_end_comes(book, clock, mock_clock):
    await book.add_native(PHONE, "phone", expires_at_s=1_000_400)
    clock.follows = True
    access, told, released, ended = Access(book, PHONE), [], [], []
    assert access.expires_in_s == 400
    mock_clock.autojump_threshold = 0
    await kept(access, told, released, ended)
    assert told == [(100, AccessUpdate(Grant.ALL, 300)), (340, AccessUpdate(Grant.ALL, 60))]
    assert "time" in ended[0]
    assert ended[1] == 400
    assert released == [400]
    assert not access.allows(MouseMove(1, 1))


@pytest.mark.trio
async def test_the_client_is_told_of_edits(book, clock, mock_clock):
    await book.add_native(PHONE, "phone")
    await book.add_native(TABLET, "tablet")
    clock.follows = True
    access, told, released, ended = Access(book, PHONE), [], [], []
    assert access.expires_in_s == 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept, access, told, released, ended)
        await trio.testing.wait_all_tasks_blocked()
        await book.set_rights("tablet", grants=Grant.GAMEPAD)
        await book.rename("phone", "telephone")
        await trio.testing.wait_all_tasks_blocked()
        assert told == []
        await book.set_rights("telephone", grants=Grant.GAMEPAD | Grant.POINTER)
        await trio.testing.wait_all_tasks_blocked()
        assert len(released) == 1
        await book.set_rights("telephone", grants=Grant.ALL, expires_at_s=1_000_200)
        await trio.testing.wait_all_tasks_blocked()
        assert len(released) == 1
        assert [update for _, update in told] == [
            AccessUpdate(Grant.GAMEPAD | Grant.POINTER, 0),
            AccessUpdate(Grant.ALL, 200),
        ]
        mock_clock.jump(199.5)
        await trio.testing.wait_all_tasks_blocked()
        assert told[2][1] == AccessUpdate(Grant.ALL, 1)  # the warning of one minute; 0 would mean for ever
        await book.remove("telephone")
    assert "no longer paired" in ended[0]


@pytest.mark.trio
async def test_a_wall_clock_that_is_set_is_noticed(book, clock, mock_clock):
    await book.add_native(PHONE, "phone", expires_at_s=1_003_600)
    access, told, released, ended = Access(book, PHONE), [], [], []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept, access, told, released, ended)
        await trio.testing.wait_all_tasks_blocked()
        clock.start_s += 7200
        mock_clock.jump(15)
    assert "time" in ended[0]
