"""PINs typed into the host's own terminal, over a pseudo-terminal."""

import os
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from punktfunk.control import pairing_prompt
from punktfunk.control.gamestream.pairing_desk import Stage
from punktfunk.control.pairing_prompt import LONGEST_LINE_BYTES, PairingAnnouncer, in_background, read_pins
from punktfunk.errors import ConfigError


class Desk:
    """Takes PINs; each is answered when ``free`` is set."""

    def __init__(self):
        self.asked, self.answered, self.refuse = [], 0, None
        self.free = trio.Event()
        self.free.set()

    async def answer(self, request):
        self.asked.append((request["verb"], request["pin"], request["address"]))
        if self.refuse:
            raise self.refuse
        await self.free.wait()
        self.answered += 1


@contextmanager
def terminal():
    """Yield the far end (what a person types into) and the near end as a text file."""
    far, near = os.openpty()
    with os.fdopen(near) as source:
        try:
            yield far, source
        finally:
            os.close(far)


async def typed(desk, *texts, lines=None):
    """What the desk was asked when a person types that."""
    lines = [] if lines is None else lines
    with terminal() as (far, source):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_pins, source, desk, lines.append)
            for text in texts:
                os.write(far, text)
                for _ in range(3):
                    await wait_all_tasks_blocked(0.005)
            nursery.cancel_scope.cancel()
    return desk.asked


@pytest.mark.trio
async def test_pins_with_and_without_a_client():
    asked = await typed(Desk(), b"1234\n", b"\n   \n", b"5678 192.0.2.7\n 9012   2 \n")
    assert asked == [("pair", "1234", ""), ("pair", "5678", "192.0.2.7"), ("pair", "9012", "2")]


@pytest.mark.trio
async def test_a_pin_does_not_wait_for_the_one_before():
    desk = Desk()
    desk.free = trio.Event()
    assert len(await typed(desk, b"1234\n", b"5678\n")) == 2
    assert desk.answered == 0


@pytest.mark.trio
async def test_problems_are_told_and_end_nothing():
    desk, lines = Desk(), []
    desk.refuse = ConfigError("'12' is no PIN.", hint="Type four digits.")
    assert len(await typed(desk, b"12\n", b"13\n", lines=lines)) == 2
    assert lines == ["pairing: '12' is no PIN. Type four digits."] * 2


@pytest.mark.trio
async def test_a_typed_line_is_bounded_and_garbage_harmless():
    asked = await typed(Desk(), b"\xff\xfe 1\n", b"x" * 3000 + b"\n")
    assert asked[0] == ("pair", "��", "1")
    assert all(len(pin) <= 2 * LONGEST_LINE_BYTES for _, pin, _ in asked)


@pytest.mark.trio
@pytest.mark.parametrize("end", [b"\x04", None], ids=["ctrl-d", "hang-up"])
async def test_a_terminal_that_closes_ends_the_prompt(end):
    far, near = os.openpty()
    with os.fdopen(near) as source:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read_pins, source, Desk(), print)
                await wait_all_tasks_blocked()
                if end:
                    os.write(far, end)
                else:
                    os.close(far)
    if end:
        os.close(far)


@pytest.mark.trio
async def test_without_a_terminal_nothing_is_read():
    desk = Desk()
    near, far = os.pipe()
    os.write(far, b"1234\n")
    os.close(far)
    with os.fdopen(near) as source:
        await read_pins(source, desk, print)
    await read_pins(source, desk, print)  # closed
    await read_pins(None, desk, print)
    assert desk.asked == []


@pytest.mark.trio
async def test_in_the_background_the_terminal_is_left_alone(monkeypatch, autojump_clock):
    """Reading it there would stop the host with SIGTTIN."""
    behind = [True]
    monkeypatch.setattr(pairing_prompt, "in_background", lambda _: behind[0])
    desk = Desk()
    with terminal() as (far, source):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_pins, source, desk, print)
            os.write(far, b"1234\n")
            await trio.sleep(10.5)
            assert desk.asked == []
            behind[0] = False
            await trio.sleep(1)
            assert len(desk.asked) == 1
            nursery.cancel_scope.cancel()


def test_who_is_in_the_background(monkeypatch):
    with terminal() as (_far, source):
        assert not in_background(source.fileno())  # not our controlling terminal
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
        assert in_background(source.fileno())
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
        assert not in_background(source.fileno())


@pytest.mark.trio
async def test_a_terminal_of_another_user_is_read_all_the_same(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pairing_prompt.os, "open", refuse)
    assert await typed(Desk(), b"1234\n") == [("pair", "1234", "")]


@pytest.mark.trio
async def test_the_shells_own_descriptor_stays_blocking():
    with terminal() as (_far, source):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_pins, source, Desk(), print)
            await wait_all_tasks_blocked()
            assert os.get_blocking(source.fileno())
            nursery.cancel_scope.cancel()


def test_stages_in_words():
    lines = []
    announcer = PairingAnnouncer(lines.append)
    attempt = SimpleNamespace(
        number=2, address="192.0.2.7", name="deck", reason="the PIN was wrong", stage=None
    )
    for stage in Stage:
        attempt.stage = stage
        announcer.note(attempt)
    assert "client 2 at 192.0.2.7 shows a PIN" in lines[0]
    assert "punktfunk pair PIN" in lines[0]
    assert lines[1:] == [
        "paired: deck at 192.0.2.7",
        "pairing: client 2 at 192.0.2.7 failed: the PIN was wrong",
    ]
