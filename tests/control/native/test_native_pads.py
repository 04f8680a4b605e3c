"""A client's pad from its arrival to rumble and its end, over real QUIC on loopback."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from native_serving import SilentSound, no_inhibition, serving

from punktfunk.control.input.session import InputMeans
from punktfunk.control.pads.hub import PadMeans
from punktfunk.control.pads.kinds import Nodes
from punktfunk.wire.input import PadModel
from punktfunk.wire.native import control as wire
from punktfunk.wire.native.capabilities import GamepadKind, HostCap, HostCap2
from punktfunk.wire.native.datagrams import build_datagram, parse_datagram
from punktfunk.wire.native.input import PadPlugged, PadSnapshot
from punktfunk.wire.native.pad_output import PadLight, Rumble
from punktfunk.wire.pads.wishes import LightWish, RumbleWish

pytestmark = pytest.mark.trio


@pytest.fixture(autouse=True)
def doubles(monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.session.HostAudio", SilentSound)
    monkeypatch.setattr("punktfunk.control.native.showing.inhibited", no_inhibition)
    monkeypatch.setattr("punktfunk.control.native.voice.FIRST_WORDS_S", 0.05)


class Pads:
    """Pads without a kernel."""

    def __init__(self):
        self.models, self.shown, self.open_count = [], [], 0
        self.wish = None

    @asynccontextmanager
    async def open_pad(self, model, _place, view, wish):
        await trio.lowlevel.checkpoint()
        self.models.append(model)
        self.wish, self._view = wish, view
        self.open_count += 1
        try:
            yield self
        finally:
            self.open_count -= 1

    has_motion = False

    def show(self):
        self.shown.append((self._view.buttons, self._view.left_trigger))

    async def run(self):
        await trio.sleep_forever()


async def heard(client, wanted):
    """Receive datagrams until one is of this kind and says this."""
    with trio.fail_after(5):
        while True:
            for data in await client.connection.receive_datagrams():
                message = parse_datagram(data)
                if isinstance(message, type(wanted)) and replace(message, **_unsaid(wanted)) == wanted:
                    return message


def _unsaid(wanted):
    return {"sequence": None, "lease_ms": None} if isinstance(wanted, Rumble) else {}


async def test_a_pad_of_a_client(tmp_path):
    pads = Pads()
    async with serving(tmp_path) as world:
        means = PadMeans(open_pad=pads.open_pad, look=lambda: Nodes(uinput=True, uhid=True))
        world.service.means = replace(world.means, input=InputMeans(pads=means))
        async with world.client() as client:
            assert client.welcome.host_caps & HostCap.PEN
            assert client.welcome.host_caps2 & HostCap2.TOUCH
            await world.pipeline()
            for event in (
                PadPlugged(3, GamepadKind.DUALSHOCK_4),
                PadSnapshot(3, 1, 0x1000, 99, 0, 0, 0, 0, 0),
            ):
                client.connection.send_datagram(build_datagram(event))
            assert (await client.hear(wire.PadSlots)).mask == 1
            await world.until(lambda: pads.shown and pads.shown[-1] == (0x1000, 99))
            assert pads.models == [PadModel.DUALSHOCK_4]
            await world.heard("DualShock 4 for player 1")
            pads.wish(RumbleWish(7, 8))
            await heard(client, Rumble(3, 7, 8))
            pads.wish(LightWish(1, 2, 3))
            await heard(client, PadLight(3, 1, 2, 3))
        await world.until(lambda: pads.open_count == 0)
