"""Who comes in: pairing by PIN, approval, open hosts, and every refusal with its code."""

import secrets
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from native_world import HOST, PHONE, TABLET, Clock, connected

from punktfunk.control.native import approval as approval_module
from punktfunk.control.native import spake
from punktfunk.control.native.admission import FrontDesk
from punktfunk.control.native.approval import ApprovalDesk
from punktfunk.control.native.arming import ArmingDesk
from punktfunk.control.native.pairing import NativePairing
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.quic.errors import QuicClosed
from punktfunk.control.trust import ClientBook, ClientKind
from punktfunk.errors import ConfigError, EnvironmentProblem, RemoteProtocolError
from punktfunk.wire.native.capabilities import CloseCode, Grant
from punktfunk.wire.native.handshake import Hello, build_hello
from punktfunk.wire.native.pairing import (
    LABEL_CLIENT,
    LABEL_HOST,
    PairProof,
    PairRequest,
    build_pairing,
    confirmation,
    parse_pairing,
)

HELLO = {"width_px": 1280, "height_px": 720, "refresh_hz": 60}


class World:
    """The front door of one host."""

    def __init__(self, folder, *, open_host=False):
        self.clock = Clock()
        self.book = ClientBook(folder, wall_clock=self.clock)
        self.lines, self.parked = [], []
        self.arming = ArmingDesk()
        self.approval = ApprovalDesk(self.book)
        pairing = NativePairing(self.book, self.arming, HOST, report=self.lines.append)
        self.front = FrontDesk(self.book, pairing, self.approval, open_host=open_host)

    @asynccontextmanager
    async def park(self):
        self.parked.append("out")
        yield
        self.parked.append("in")

    async def knock(self, first, client=PHONE, address="192.0.2.7"):
        """Send one first message; what was admitted, and the code that the connection closed with."""
        host_end, _ = connected(client, address)
        admitted = await self.front.admit(host_end, host_end.messages, first, parked=self.park)
        return admitted, host_end.reason and host_end.reason.code

    async def pair(self, pin, client=PHONE, *, seen_host=HOST, proof=None, name="phone"):
        """The client's half of pairing: what the host said in the end, and its close code."""
        host_end, client_end = connected(client)
        side = spake.Client(pin, bytes.fromhex(client), bytes.fromhex(seen_host))
        request = build_pairing(PairRequest(name, side.element))
        said = []

        async def converse():
            messages = client_end.messages
            challenge = parse_pairing(await messages.receive())
            key = await trio.to_thread.run_sync(side.finish, challenge.element)
            identities = bytes.fromhex(client), bytes.fromhex(seen_host)
            if challenge.confirmation != confirmation(LABEL_HOST, key, *identities):
                client_end.close(1, "pair done")
                return
            tag = confirmation(LABEL_CLIENT, key, *identities)
            await messages.send(build_pairing(PairProof(proof or tag)))
            said.append(parse_pairing(await messages.receive()).accepted)
            assert await messages.receive() is None
            client_end.close(0, "pair done")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(converse)
            assert await self.front.admit(host_end, host_end.messages, request) is None
            nursery.cancel_scope.cancel()
        return said, host_end.reason.code


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.arming.COOLDOWN_S", 0)
    return World(tmp_path)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=40) | st.binary(min_size=32, max_size=32).map(lambda rest: b"A" + rest))
def test_any_element_is_taken_or_refused(element):
    try:
        _, key = spake.answer("1234", element, b"a" * 32, b"b" * 32)
    except RemoteProtocolError:
        return
    assert len(key) == 32


@pytest.mark.trio
async def test_pairing(world):
    arm = world.arming.arm(grants=Grant.GAMEPAD, access_s=3600)
    assert len(arm.pin) == 4
    assert arm.pin not in repr(arm)
    assert await world.pair(arm.pin, name="pho\u202ene\n") == ([True], 0)
    (client,) = world.book.clients()
    assert client.name == "pho ne"
    assert client.fingerprint == PHONE
    assert client.grants == Grant.GAMEPAD
    assert client.kinds == {ClientKind.NATIVE}
    assert client.expires_at_s == 1_003_600
    assert world.lines == ["paired: pho ne at 192.0.2.7"]
    await world.arming.wait_ended(arm)
    assert arm.paired
    assert arm.outcome == "pho ne"
    assert await world.pair(arm.pin, TABLET) == ([], CloseCode.NOT_ARMED)


@pytest.mark.trio
async def test_one_guess(world):
    arm = world.arming.arm()
    wrong = f"{(int(arm.pin) + 1) % 10_000:04}"
    assert await world.pair(wrong) == ([], 1)
    assert "typed wrongly" in arm.outcome
    assert await world.pair(arm.pin) == ([], CloseCode.NOT_ARMED)
    assert world.book.clients() == []
    assert "failed: the device did not prove" in world.lines[0]


@pytest.mark.trio
async def test_a_relayed_session_does_not_pair(world):
    arm = world.arming.arm()
    assert await world.pair(arm.pin, seen_host="dd" * 32) == ([], 1)
    assert world.book.clients() == []


@pytest.mark.trio
async def test_a_wrong_proof(world):
    arm = world.arming.arm()
    assert await world.pair(arm.pin, proof=b"x" * 32) == ([False], 0)
    assert world.book.clients() == []
    assert not arm.paired


@pytest.mark.trio
@pytest.mark.parametrize("leaves", [False, True])
async def test_a_device_that_never_proves_anything(world, mock_clock, leaves):
    arm = world.arming.arm()
    host_end, client_end = connected()
    side = spake.Client(arm.pin, bytes.fromhex(PHONE), bytes.fromhex(HOST))
    async with trio.open_nursery() as nursery:
        request = build_pairing(PairRequest("phone", side.element))
        nursery.start_soon(world.front.admit, host_end, host_end.messages, request)
        assert parse_pairing(await client_end.messages.receive())
        await settled()
        if leaves:
            client_end.stream.send_eof()
            await settled()
            mock_clock.jump(5)  # the host waits so long for the farewell
        else:
            mock_clock.jump(59)
            await settled()
            assert host_end.reason is None
            mock_clock.jump(1)
    assert host_end.reason.code == (0 if leaves else CloseCode.SETUP_FAILED)
    assert "typed wrongly" in arm.outcome
    assert world.book.clients() == []


@pytest.mark.trio
async def test_a_full_disk_is_told(world, monkeypatch):
    arm = world.arming.arm()

    async def refuse(*_arguments, **_options):
        raise EnvironmentProblem("Cannot write: no space.")

    monkeypatch.setattr(world.book, "add_native", refuse)
    assert await world.pair(arm.pin) == ([False], 0)
    assert arm.outcome == "Cannot write: no space."


@pytest.mark.trio
async def test_refusals_and_what_they_leave_armed(world, monkeypatch):
    request = build_pairing(PairRequest("x", spake.Client("0000", b"a" * 32, b"b" * 32).element))
    assert (await world.knock(request, None))[1] == CloseCode.NO_IDENTITY
    assert (await world.knock(request))[1] == CloseCode.NOT_ARMED
    arm = world.arming.arm(fingerprint=TABLET)
    assert (await world.knock(request))[1] == CloseCode.BOUND_TO_OTHER
    for element in (b"", b"A" + b"\xff" * 32, b"B" + b"\1" * 32, b"A" * 34):
        broken = build_pairing(PairRequest("x", element))
        assert (await world.knock(broken, TABLET))[1] == CloseCode.SETUP_FAILED
    assert world.arming.current() is arm
    monkeypatch.setattr("punktfunk.control.native.arming.COOLDOWN_S", 2.0)
    for client in (PHONE, TABLET):
        assert (await world.knock(request, client))[1] == CloseCode.RATE_LIMITED
    assert world.arming.current() is arm


@pytest.mark.trio
async def test_the_cooldown_is_the_hosts(mock_clock):
    desk = ArmingDesk()
    answers = []
    for pause_s in (0, 1.9, 1.9, 2.0, 0.1, 2.1):
        mock_clock.jump(pause_s)
        answers.append(desk.charge())
    assert answers == [True, False, False, True, False, True]


@pytest.mark.trio
async def test_windows(mock_clock):
    desk = ArmingDesk()
    arm = desk.arm()
    mock_clock.jump(119)
    assert desk.current() is arm
    mock_clock.jump(1)
    assert desk.current() is None
    assert arm.outcome == "nobody used it in time"
    assert not desk.spend(arm)
    first, second = desk.arm(), desk.arm(window_s=10)
    assert "replaced" in first.outcome
    assert not desk.spend(first)
    mock_clock.autojump_threshold = 0
    await desk.wait_ended(second)
    assert trio.current_time() == 130
    third = desk.arm()
    assert desk.spend(third)
    assert not desk.spend(third)
    desk.arm()
    desk.disarm()
    assert desk.current() is None
    for wrong in ({"window_s": 0}, {"window_s": 4000}, {"fingerprint": "abcd"}, {"fingerprint": "g" * 64}):
        with pytest.raises(ConfigError) as caught:
            desk.arm(**wrong)
        assert caught.value.hint


def hello(**fields):
    return build_hello(Hello(**(HELLO | fields)))


@pytest.mark.trio
async def test_a_paired_device_comes_in(world):
    await world.book.add_native(PHONE, "phone", grants=Grant.GAMEPAD)
    admitted, code = await world.knock(hello(name="other name"))
    assert code is None
    assert (admitted.client.name, admitted.name, admitted.fingerprint) == ("phone", "phone", PHONE)
    assert admitted.access.grants == Grant.GAMEPAD
    assert admitted.hello.width_px == 1280
    assert world.book.clients()[0].last_seen_s > 0
    assert world.parked == []


@pytest.mark.trio
async def test_refused_sessions(world):
    assert (await world.knock(hello(wire_version=3)))[1] == CloseCode.WIRE_VERSION
    assert (await world.knock(hello(), None))[1] == CloseCode.NO_IDENTITY
    await world.book.add_native(PHONE, "phone", grants=Grant.GAMEPAD)
    assert (await world.knock(hello(launch_id="steam:70")))[1] == CloseCode.LAUNCH_NOT_ALLOWED
    for first in (b"", b"PKF1", b"PKFc", b"PKFc\x12" + b"x" * 32, secrets.token_bytes(100)):
        assert await world.knock(first) == (None, CloseCode.SETUP_FAILED)
    await world.book.set_rights("phone", grants=Grant.ALL)
    assert (await world.knock(hello(launch_id="steam:70")))[0].access.grants == Grant.ALL


@pytest.mark.trio
async def test_an_open_host_lets_strangers_in(tmp_path):
    world = World(tmp_path, open_host=True)
    for client in (None, PHONE):
        admitted, _ = await world.knock(hello(name="guest"), client)
        assert admitted.client is None
        assert admitted.name == "guest"
        assert admitted.access.grants == Grant.ALL
        assert not admitted.access.ending
    assert (await world.knock(hello(wire_version=1)))[1] == CloseCode.WIRE_VERSION


async def settled():
    for _ in range(5):
        await trio.testing.wait_all_tasks_blocked(0.002)


class Waiting:
    """A device that knocks, in a task of its own."""

    def __init__(self, world, client=PHONE, address="192.0.2.7", **fields):
        self.world, self.fields = world, fields
        self.host_end, self.client_end = connected(client, address)
        self.admitted = self.raised = None

    async def __call__(self):
        try:
            self.admitted = await self.world.front.admit(
                self.host_end, self.host_end.messages, hello(**self.fields), parked=self.world.park
            )
        except QuicClosed as error:
            self.raised = error

    @property
    def code(self):
        return self.host_end.reason and self.host_end.reason.code


@pytest.mark.trio
async def test_approval_lets_the_same_connection_go_on(world):
    phone, tablet = Waiting(world, name="phone"), Waiting(world, TABLET, name="tablet")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(phone)
        await settled()
        nursery.start_soon(tablet)
        await settled()
        assert [(entry.name, entry.state) for entry in world.approval.pending()] == [
            ("phone", "waiting"),
            ("tablet", "waiting"),
        ]
        for unclear in ("", "x", TABLET[:3]):
            with pytest.raises(ConfigError) as caught:
                await world.approval.approve(unclear)
            assert caught.value.hint
        await world.approval.approve("1", grants=Grant.GAMEPAD, access_s=60)
        world.approval.deny(TABLET[:4])
    assert phone.admitted.client.name == "phone"
    assert phone.admitted.access.grants == Grant.GAMEPAD
    assert phone.admitted.access.expires_in_s == 60
    assert tablet.code == CloseCode.DENIED
    assert world.parked == ["out", "out", "in"]  # who is denied needs no slot again
    assert [entry.state for entry in world.approval.pending()] == ["denied"]
    again = Waiting(world, TABLET)
    await again()
    assert again.code == CloseCode.DENIED
    await world.approval.approve("tablet")
    await again()
    assert again.admitted.client.name == "tablet"
    assert world.approval.pending() == []


@pytest.mark.trio
async def test_a_newer_knock_and_a_pin_and_a_device_that_leaves(world):
    older, newer, leaver = Waiting(world), Waiting(world), Waiting(world, TABLET)
    async with trio.open_nursery() as nursery:
        for device in (older, newer, leaver):
            nursery.start_soon(device)
            await settled()
        assert older.code == CloseCode.SUPERSEDED
        leaver.host_end.vanish()
        await settled()
        assert isinstance(leaver.raised, QuicClosed)
        assert [entry.state for entry in world.approval.pending()] == ["waiting", "gone"]
        await world.book.add_native(PHONE, "phone")  # as pairing by PIN on another connection does
    assert newer.admitted.client.name == "phone"


@pytest.mark.trio
async def test_nobody_answers(world, mock_clock):
    device = Waiting(world)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(device)
        await settled()
        mock_clock.jump(179)
        await settled()
        assert device.code is None
        mock_clock.jump(1)
    assert device.code == CloseCode.APPROVAL_TIMEOUT
    assert "approve" in device.host_end.reason.text
    mock_clock.jump(419)
    assert [entry.state for entry in world.approval.pending()] == ["gone"]
    mock_clock.jump(1)
    assert world.approval.pending() == []
    with pytest.raises(ConfigError, match="No device waits"):
        world.approval.deny("1")


@pytest.mark.trio
async def test_people_are_not_told_of_every_knock(world, mock_clock):
    told = []
    desk = ApprovalDesk(world.book, notify=lambda entry: told.append(entry.name))

    async def knock(name):
        with suppress(TurnedAway):
            await desk.wait(name * 64, name, "192.0.2.7")

    async with trio.open_nursery() as nursery:
        for name, pause_s in (("a", 0), ("b", 0.5), ("a", 5), ("c", 60), ("a", 0), ("a", 2)):
            mock_clock.jump(pause_s)
            nursery.start_soon(knock, name)
            await settled()
        nursery.cancel_scope.cancel()
    assert told == ["a", "c", "a"]


@pytest.mark.trio
async def test_an_expired_device_waits_also_at_an_open_host(tmp_path):
    world = World(tmp_path, open_host=True)
    await world.book.add_native(PHONE, "phone", expires_at_s=999_999)
    device = Waiting(world)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(device)
        await settled()
        assert len(world.approval.pending()) == 1
        await world.book.set_rights("phone", expires_at_s=0)
    assert device.admitted.client.name == "phone"


@pytest.mark.trio
async def test_the_list_is_bounded(world, monkeypatch):
    monkeypatch.setattr(approval_module, "MAXIMUM_PENDING", 6)
    codes = []
    async with trio.open_nursery() as nursery:
        devices = [
            Waiting(world, f"{number:064x}", f"192.0.2.{number // 5}", name=f"n{number}")
            for number in range(9)
        ]
        for device in devices:
            nursery.start_soon(device)
            await settled()
            codes.append(device.code)
        limited = CloseCode.RATE_LIMITED
        assert codes == [None] * 4 + [limited, None, None, limited, limited]
        devices[0].host_end.vanish()
        await settled()
        newest = Waiting(world, "ee" * 32, "192.0.2.9", name="newest")
        nursery.start_soon(newest)
        await settled()
        assert [entry.name for entry in world.approval.pending()] == ["n1", "n2", "n3", "n5", "n6", "newest"]
        nursery.cancel_scope.cancel()


@given(st.binary(max_size=120) | st.binary(max_size=60).map(lambda rest: b"PKFc\x10" + rest))
@settings(max_examples=60, deadline=None)
def test_any_first_message_is_answered(tmp_path_factory, first):
    async def ask():
        world = World(folder)
        admitted, code = await world.knock(first, None)
        assert admitted is None
        assert code in {CloseCode.SETUP_FAILED, CloseCode.NO_IDENTITY, CloseCode.WIRE_VERSION}

    folder = tmp_path_factory.getbasetemp()
    trio.run(ask)
