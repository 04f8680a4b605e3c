"""Who may stream beside whom, and which display makes room."""

from contextlib import ExitStack

import pytest
import trio

from punktfunk.control.occupancy import Occupancy, Occupied, Shown, Streaming

pytestmark = pytest.mark.trio


class Client:
    def __init__(self, owner, *, leaves=True):
        self.heard, gone = [], trio.Event()

        def leave(newcomer):
            self.heard.append(newcomer)
            if leaves:
                gone.set()

        self.counted = Streaming(owner, f"{owner}'s device", leave, gone)


async def test_the_rule_decides_while_another_streams():
    for rule, owner, wanted in [
        ("own", "bob", []),
        ("takeover", "bob", ["alice"]),
        ("takeover", "alice", []),
        ("refuse", "alice", []),
    ]:
        occupancy, alice = Occupancy(rule), Client("alice")
        with occupancy.streaming(alice.counted):
            assert await occupancy.admit(owner, "a phone") == wanted
        assert alice.heard == ["a phone"] * len(wanted)
        assert await occupancy.admit("carol", "x") == []  # nobody streams any more


async def test_a_refusal_names_who_is_there():
    occupancy = Occupancy("refuse")
    with occupancy.streaming(Client("alice").counted), pytest.raises(Occupied) as refused:
        await occupancy.admit("bob", "a phone")
    assert str(refused.value) == "alice's device is streaming from this host."
    assert "second_client" in refused.value.hint


async def test_one_that_does_not_leave_is_not_streamed_beside(autojump_clock):
    occupancy = Occupancy("takeover")
    with occupancy.streaming(Client("alice", leaves=False).counted), pytest.raises(Occupied, match="not end"):
        await occupancy.admit("bob", "a phone")


class Display:
    def __init__(self, title, *, waits, ends=True):
        self.closed, gone = False, trio.Event()
        self.stack = ExitStack()

        def close():
            self.closed = True
            if ends:
                self.stack.close()
                gone.set()

        self.counted = Shown(title, lambda: waits, close, gone)

    def enter(self, occupancy):
        self.stack.enter_context(occupancy.display(self.counted))
        return self


async def test_the_oldest_display_that_waits_makes_room():
    occupancy = Occupancy(limit=3)
    watched, first, second = (
        Display(title, waits=waits).enter(occupancy)
        for title, waits in [("watched", False), ("first", True), ("second", True)]
    )
    await occupancy.make_room()
    assert (watched.closed, first.closed, second.closed) == (False, True, False)
    await occupancy.make_room()
    assert not second.closed  # there is room now


async def test_where_all_are_watched_or_stuck_nothing_is_waited_for(autojump_clock):
    occupancy = Occupancy(limit=1)
    watched = Display("watched", waits=False).enter(occupancy)
    await occupancy.make_room()
    assert not watched.closed
    occupancy = Occupancy(limit=1)
    stuck = Display("stuck", waits=True, ends=False).enter(occupancy)
    await occupancy.make_room()
    assert stuck.closed
