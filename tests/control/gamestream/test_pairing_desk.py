"""The desk alone, under a virtual clock: bounds, expiry, attempts per address."""

import pytest
import trio
import trio.testing

from punktfunk.control.gamestream.pairing_desk import (
    ACTIVE_S,
    ATTEMPTS_PER_ADDRESS,
    ATTEMPTS_WINDOW_S,
    MAXIMUM_WAITING,
    MAXIMUM_WAITING_PER_ADDRESS,
    WAITING_S,
    PairingBusy,
    PairingDesk,
    Stage,
    TooManyAttempts,
)
from punktfunk.control.trust import ClientBook
from punktfunk.errors import ConfigError, RemoteProtocolError


def spoiled(certificate_der, number):
    """One certificate of many: only the signature differs, which nobody verifies at step 1."""
    return certificate_der[:-4] + number.to_bytes(4, "big")


def to_pem(der):
    from base64 import encodebytes

    return b"-----BEGIN CERTIFICATE-----\n" + encodebytes(der) + b"-----END CERTIFICATE-----\n"


@pytest.fixture
def desk(identity, tmp_path):
    return PairingDesk(identity, ClientBook(tmp_path))


@pytest.fixture
def first_step(identity):
    def build(number=0, uniqueid="u"):
        pem = to_pem(spoiled(identity.certificate_der, number))
        return {"uniqueid": uniqueid, "phrase": "getservercert", "salt": "00" * 16, "clientcert": pem.hex()}

    return build


async def wait_all(nursery, desk, queries):
    """Let all of these wait; returns what each is answered in the end."""
    replies = {}

    async def ask(number, query, address):
        replies[number] = await desk.answer(query, address)

    for number, (query, address) in enumerate(queries):
        nursery.start_soon(ask, number, query, address)
        await trio.testing.wait_all_tasks_blocked()
    return replies


@pytest.mark.trio
async def test_waiting_expires(desk, first_step, autojump_clock):
    begun_s = trio.current_time()
    assert await desk.answer(first_step(), "10.0.0.1") == {"paired": "0"}
    assert trio.current_time() - begun_s == pytest.approx(WAITING_S)
    assert desk.waiting() == []
    with pytest.raises(ConfigError, match="No client is waiting"):
        desk.submit_pin("1234")


@pytest.mark.trio
async def test_silence_after_the_pin_spends_it(desk, first_step, autojump_clock):
    async with trio.open_nursery() as nursery:
        await wait_all(nursery, desk, [(first_step(), "10.0.0.1")])
        attempt = desk.submit_pin("1234")
    begun_s = trio.current_time()
    assert await desk.wait_finished(attempt) is Stage.FAILED
    assert trio.current_time() - begun_s == pytest.approx(ACTIVE_S)
    with pytest.raises(RemoteProtocolError, match="no pairing"):
        await desk.answer({"uniqueid": "u", "clientchallenge": "00" * 16}, "10.0.0.1")


@pytest.mark.trio
async def test_an_active_attempt_expires_without_anyone_watching(desk, first_step, autojump_clock):
    async with trio.open_nursery() as nursery:
        await wait_all(nursery, desk, [(first_step(), "10.0.0.1")])
        attempt = desk.submit_pin("1234")
    await trio.sleep(ACTIVE_S + 1)
    with pytest.raises(RemoteProtocolError, match="no pairing"):
        await desk.answer({"uniqueid": "u", "clientchallenge": "00" * 16}, "10.0.0.1")
    assert attempt.stage is Stage.FAILED


@pytest.mark.trio
async def test_the_list_is_bounded(desk, first_step, autojump_clock):
    async with trio.open_nursery() as nursery:
        one_address = [(first_step(number), "10.0.0.1") for number in range(MAXIMUM_WAITING_PER_ADDRESS)]
        await wait_all(nursery, desk, one_address)
        with pytest.raises(PairingBusy):
            await desk.answer(first_step(99), "10.0.0.1")
        others = range(MAXIMUM_WAITING_PER_ADDRESS, MAXIMUM_WAITING)
        await wait_all(nursery, desk, [(first_step(number), f"10.0.1.{number}") for number in others])
        assert len(desk.waiting()) == MAXIMUM_WAITING
        with pytest.raises(PairingBusy):
            await desk.answer(first_step(98), "10.0.2.1")
        nursery.cancel_scope.cancel()
    assert desk.waiting() == []


@pytest.mark.trio
async def test_attempts_per_address(desk, first_step, autojump_clock):
    async def begin_and_leave(number, address):
        with trio.move_on_after(0.1):
            await desk.answer(first_step(number), address)

    for number in range(ATTEMPTS_PER_ADDRESS):
        await begin_and_leave(number, "fd00::1")
    for address in ("fd00::1", "fd00::abcd"):  # one /64 is one household
        with pytest.raises(TooManyAttempts):
            await desk.answer(first_step(), address)
    await begin_and_leave(1, "fd00:0:0:1::1")
    for number in range(2000):
        await begin_and_leave(number, f"10.{number // 250}.{number % 250}.1")
    await trio.sleep(ATTEMPTS_WINDOW_S)
    await begin_and_leave(1, "fd00::1")


@pytest.mark.trio
async def test_beginning_again_replaces_and_spends(desk, first_step, autojump_clock):
    async with trio.open_nursery() as nursery:
        replies = await wait_all(nursery, desk, [(first_step(), "10.0.0.1"), (first_step(), "10.0.0.1")])
        assert replies == {0: {"paired": "0"}}
        assert [attempt.number for attempt in desk.waiting()] == [2]
        active = desk.submit_pin("1234")
        await wait_all(nursery, desk, [(first_step(), "10.0.0.1")])
        assert active.stage is Stage.FAILED
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_choosing(desk, first_step, autojump_clock):
    async with trio.open_nursery() as nursery:
        await wait_all(nursery, desk, [(first_step(1), "10.0.0.1"), (first_step(2), "10.0.0.2")])
        for pin in ("123", "12345", "12a4", "", "１２３４"):  # noqa: RUF001 -- full-width digits are no PIN
            with pytest.raises(ConfigError, match="is no PIN"):
                desk.submit_pin(pin)
        with pytest.raises(ConfigError, match=r"No client '10\.0\.0\.3' is waiting"):
            desk.submit_pin("1234", which="10.0.0.3")
        assert len(desk.waiting()) == 2
        by_certificate = desk.waiting()[1].fingerprint[:8]
        assert desk.submit_pin("1234", which=by_certificate).address == "10.0.0.2"
        assert desk.submit_pin("1234", which="10.0.0.1").name == "Moonlight at 10.0.0.1"


@pytest.mark.trio
async def test_unpair_ends_only_an_active_attempt(desk, first_step, autojump_clock):
    async with trio.open_nursery() as nursery:
        await wait_all(nursery, desk, [(first_step(), "10.0.0.1")])
        desk.abandon("u", "10.0.0.1")
        attempt = desk.submit_pin("1234")
        desk.abandon("u", "10.0.0.2")
        desk.abandon("v", "10.0.0.1")
        assert attempt.stage is Stage.ACTIVE
        desk.abandon("u", "10.0.0.1")
    assert await desk.wait_finished(attempt) is Stage.FAILED


@pytest.mark.trio
async def test_nonsense(desk, autojump_clock):
    for query in ({}, {"phrase": "x"}, {"clientchallenge": "zz"}, {"phrase": "getservercert"}):
        with pytest.raises(RemoteProtocolError):
            await desk.answer(query, "10.0.0.1")
    assert desk.waiting() == []
