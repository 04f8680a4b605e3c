"""The HTTP and HTTPS listeners with a real TLS client: pairing in all its ways, who gets which answer."""

import ssl
from functools import partial
from xml.etree import ElementTree as ET

import pytest
import trio
from moonlight_double import element, status

from punktfunk.control.gamestream.http import Refusal
from punktfunk.control.gamestream.pairing_desk import Stage
from punktfunk.errors import ConfigError, EnvironmentProblem

KEY = "&rikey=00112233445566778899AABBCCDDEEFF&rikeyid=-5"


async def blocking(function, *args, **kwargs):
    return await trio.to_thread.run_sync(partial(function, *args, **kwargs))


async def pair(running, client, pin="1234", typed=None, **choice):
    """Pair as a user does: the client shows its PIN, the user types one."""
    outcome = []

    async def play():
        outcome.append(await blocking(client.pair, pin))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(play)
        await running.type_pin(typed or pin, **choice)
    return outcome[0]


@pytest.mark.trio
async def test_five_steps(run_host, device):
    async with run_host() as running:
        client = device(running)
        assert status(await blocking(client.ask, "/serverinfo", tls=True)) == 401
        assert await pair(running, client, name="living room") == "paired"
        for version in (None, ssl.TLSVersion.TLSv1_2):
            info = await blocking(client.ask, "/serverinfo", tls=True, version=version)
            assert (status(info), element(info, "PairStatus")) == (200, "1")
        plain = await blocking(client.ask, "/serverinfo")
        assert (status(plain), element(plain, "PairStatus")) == (200, "0")
        assert [paired.name for paired in running.book.clients()] == ["living room"]
        assert running.book.clients()[0].last_seen_s > 0
        assert running.stages == [(1, Stage.WAITING), (1, Stage.ACTIVE), (1, Stage.PAIRED)]


@pytest.mark.trio
async def test_strangers_get_xml_and_never_an_alert(run_host, device):
    async with run_host() as running:
        client = device(running)
        assert await pair(running, client) == "paired"
        stranger = device(running, 1)
        for path in ("/serverinfo", "/applist", "/launch", "/pair?phrase=pairchallenge", "/nothing", "/"):
            assert status(await blocking(stranger.ask, path, tls=True)) == 401
            assert status(await blocking(stranger.ask, path, tls=True, present=False)) == 401
        for path in ("/applist", f"/launch?appid=1{KEY}", "/cancel", "/appasset?appid=1", "/nothing"):
            assert status(await blocking(client.ask, path)) == 404
        assert running.host.calls == []


@pytest.mark.trio
async def test_wrong_pin_is_spent(run_host, device):
    async with run_host() as running:
        client = device(running)
        assert await pair(running, client, pin="1234", typed="4321") == "wrong PIN"
        assert running.stages[-1] == (1, Stage.FAILED)
        assert status(await blocking(client.prove)) == 400
        assert running.book.clients() == []
        assert await pair(running, client) == "paired"


@pytest.mark.trio
async def test_step_three_cannot_be_replayed(run_host, device):
    """Step 3's reply gives the PIN away offline. Whoever finds it must not be able to use it."""
    async with run_host() as running:
        attacker = device(running)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(blocking, attacker.begin, "0000")  # a guess: the user types another
            await running.type_pin("7391")
        guess = await blocking(attacker.challenge)
        first = await blocking(attacker.commit, guess)
        assert element(first, "pairingsecret")
        again = await blocking(attacker.commit, guess)
        assert element(again, "paired") == "0"
        assert element(again, "pairingsecret") is None
        assert status(await blocking(attacker.prove)) == 400
        assert status(await blocking(attacker.step, "phrase=pairchallenge", tls=True)) == 401
        assert running.book.clients() == []
        assert running.stages[-1] == (1, Stage.FAILED)


@pytest.mark.trio
@pytest.mark.parametrize("step", ["challenge", "prove", "nonsense", "step five in the clear"])
async def test_anything_out_of_order_ends_the_attempt(run_host, device, step):
    async with run_host() as running:
        client = device(running)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(blocking, client.begin, "1234")
            await running.type_pin("1234")
        challenge_reply = await blocking(client.challenge)
        client.secret = bytes(16)
        wrong = {
            "challenge": client.challenge,
            "prove": client.prove,
            "nonsense": partial(client.step, "serverchallengeresp=zz"),
            "step five in the clear": partial(client.step, "phrase=pairchallenge"),
        }[step]
        assert element(await blocking(wrong), "paired") == "0"
        assert status(await blocking(client.commit, challenge_reply)) == 400
        assert running.stages[-1] == (1, Stage.FAILED)


@pytest.mark.trio
async def test_two_clients_wait_and_the_user_chooses(run_host, device):
    async with run_host() as running:
        first, second = device(running), device(running, 1)
        outcomes = {}

        async def play(client, pin):
            outcomes[pin] = await blocking(client.pair, pin)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(play, first, "1111")
            await running.until_waiting(1)
            nursery.start_soon(play, second, "2222")
            await running.until_waiting(2)
            with pytest.raises(ConfigError, match=r"2 clients are waiting: 1: 127\.0\.0\.1"):
                running.desk.submit_pin("2222")
            attempt = running.desk.submit_pin("2222", which="2", name="tablet")
            with pytest.raises(ConfigError, match="in the middle of pairing"):
                running.desk.submit_pin("1111", which="1", name="phone")
            assert await running.desk.wait_finished(attempt) is Stage.PAIRED
            running.desk.submit_pin("1111", name="phone")
        assert outcomes == {"1111": "paired", "2222": "paired"}
        assert {client.name for client in running.book.clients()} == {"tablet", "phone"}
        await running.book.remove("tablet")
        assert status(await blocking(second.ask, "/serverinfo", tls=True)) == 401
        assert status(await blocking(first.ask, "/serverinfo", tls=True)) == 200


@pytest.mark.trio
async def test_a_client_that_hangs_up_stops_waiting(run_host, device):
    async with run_host() as running:
        client = device(running)
        connection = client.connect()
        await blocking(
            connection.request,
            "GET",
            f"/pair?uniqueid=1&phrase=getservercert&salt={bytes(16).hex()}&clientcert={client.pem.hex()}",
        )
        await running.until_waiting(1)
        connection.close()
        await running.until_waiting(0)
        assert running.stages[-1] == (1, Stage.FAILED)


@pytest.mark.trio
async def test_serverinfo_is_answered_while_a_client_waits(run_host, device):
    async with run_host() as running:
        client = device(running)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(blocking, client.begin, "1234")
            await running.until_waiting(1)
            assert status(await blocking(client.ask, "/serverinfo")) == 200
            running.desk.submit_pin("1234")


@pytest.mark.trio
async def test_lists_and_sessions(run_host, device):
    async with run_host() as running:
        client = device(running)
        assert await pair(running, client, name="phone") == "paired"
        ask = partial(blocking, client.ask, tls=True)
        titles = [entry.text for entry in ET.fromstring(await ask("/applist")).iter("AppTitle")]
        assert titles == ["Desktop", "Chess & <more>"]
        assert (await ask("/appasset?appid=2&AssetType=2&AssetIdx=0")).startswith(b"\x89PNG")
        reply = await ask(f"/resume?appid=1{KEY}".replace("&rikeyid", "&x&rikeyid"))
        assert (status(reply), element(reply, "resume")) == (200, "1")
        reply = await ask(f"/launch?appid=2&mode=1280x720x60{KEY}")
        assert element(reply, "sessionUrl0") == "rtspenc://127.0.0.1:48010"
        assert element(reply, "gamesession") == "1"
        _, name, request, local, remote = running.host.calls[-1]
        assert (name, request.app_id, request.key_id, local, remote) == (
            "phone",
            2,
            2**32 - 5,
            "127.0.0.1",
            "127.0.0.1",
        )
        assert element(await ask("/cancel"), "cancel") == "1"


@pytest.mark.trio
async def test_failures_travel_in_the_xml(run_host, device):
    async with run_host() as running:
        client = device(running)
        assert await pair(running, client) == "paired"
        ask = partial(blocking, client.ask, tls=True)
        assert status(await ask("/resume?rikey=1")) == 400
        reply = await ask(f"/resume?appid=1{KEY}")
        assert (status(reply), element(reply, "resume")) == (503, "0")
        for error, code in ((Refusal(400, "An app runs."), 400), (EnvironmentProblem("no GPU"), 500)):
            running.host.refusal = error
            reply = await ask(f"/launch?appid=2&mode=1280x720x60{KEY}")
            assert (status(reply), element(reply, "gamesession")) == (code, "0")
        running.host.refusal = RuntimeError("a bug")
        reply = await ask(f"/launch?appid=2&mode=1280x720x60{KEY}")
        assert (status(reply), "a bug" in reply) == (500, False)
        assert status(await ask("/nothing%00/%ff")) == 404
        assert (await ask("/appasset?appid=99999999999999999999999")).startswith(b"\x89PNG")


@pytest.mark.trio
async def test_keep_alive_ipv6_and_long_urls(run_host, device):
    async with run_host(("::1", "127.0.0.1")) as running:
        client = device(running, address="::1")
        connection = client.connect()
        for _ in range(3):
            info = await blocking(client.ask, "/serverinfo?x=" + "a" * 9000, connection=connection)
            assert (status(info), element(info, "LocalIP")) == (200, "127.0.0.1")
        connection.close()
        assert await pair(running, client) == "paired"
        assert status(await blocking(client.ask, "/applist", tls=True)) == 200
