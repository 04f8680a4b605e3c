"""Mutter's DisplayConfig over D-Bus: read the monitors, change their layout, put it back.

Every change is temporary in mutter's sense: it is never written to the user's monitors.xml, so that a
desktop that is restarted comes up as its user left it. Mutter refuses a change that is based on a state that
is no longer the newest; then it is planned again from the new one.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

import trio

from punktfunk.control.displays.mutter.monitors import (
    Logical,
    State,
    build_config,
    parse_state,
    same_layout,
)
from punktfunk.control.system.dbus_link import BusLink, Refused
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode

NAME: Final = "org.gnome.Mutter.DisplayConfig"
PATH: Final = "/org/gnome/Mutter/DisplayConfig"
TEMPORARY: Final = 1
TRIES: Final = 5
SETTLE_S: Final = 4.0
INTERVAL_S: Final = 0.02
RATE_SLACK_MILLIHERTZ: Final = 10
"""Mutter tells rates as rounded fractions."""

Plan = Callable[[State], Sequence[Logical]]


async def read_state(link: BusLink) -> State:
    """Ask for the monitors; EnvironmentProblem if mutter does not answer, or with nonsense."""
    body = await link.call(NAME, PATH, NAME, "GetCurrentState")
    try:
        return parse_state(body)
    except RemoteProtocolError as error:
        raise EnvironmentProblem(str(error)) from error


async def change_layout(link: BusLink, plan: Plan) -> State:
    """Lay out the monitors as planned and return what then holds; nothing is sent if it holds already."""
    refused: Refused | None = None
    for _ in range(TRIES):
        state = await read_state(link)
        wanted = tuple(plan(state))
        if not wanted or same_layout(wanted, state.logicals):
            return state
        config = build_config(wanted)
        try:
            await link.call(
                NAME,
                PATH,
                NAME,
                "ApplyMonitorsConfig",
                "uua(iiduba(ssa{sv}))a{sv}",
                state.serial,
                TEMPORARY,
                config,
                {},
            )
        except Refused as error:
            refused = error
            await trio.sleep(INTERVAL_S)
        else:
            return await read_state(link)
    raise EnvironmentProblem(
        f"GNOME refused to arrange its monitors: {refused}",
        hint='Set display_arrangement = "extend" and display_scale = 1.',
    )


async def wait_for_monitor(link: BusLink, connectors_before: frozenset[str]) -> State:
    """Wait until a virtual monitor is there that was not; EnvironmentProblem after some seconds."""
    with trio.move_on_after(SETTLE_S):
        while True:
            state = await read_state(link)
            if new_monitors(state, connectors_before):
                return state
            await trio.sleep(INTERVAL_S)
    raise EnvironmentProblem("mutter made no monitor for the screen cast")


async def wait_for_mode(link: BusLink, connector: str, mode: Mode) -> bool:
    """Wait until a monitor has a mode of this size and rate; False if it has another after some seconds."""

    async def has_it() -> bool:
        return _has_mode(await read_state(link), connector, mode)

    return await wait_until(has_it, SETTLE_S)


def _has_mode(state: State, connector: str, mode: Mode) -> bool:
    monitor = state.monitor(connector)
    if monitor is None or monitor.current is None:
        return False
    found = monitor.current.as_mode()
    same_size = (found.width_px, found.height_px) == (mode.width_px, mode.height_px)
    return same_size and abs(found.refresh_millihertz - mode.refresh_millihertz) <= RATE_SLACK_MILLIHERTZ


def new_monitors(state: State, connectors_before: frozenset[str]) -> list[str]:
    """List virtual monitors that show something and were not there before."""
    return [
        monitor.connector
        for monitor in state.monitors
        if monitor.virtual and monitor.current and monitor.connector not in connectors_before
    ]


async def wait_until_gone(link: BusLink, connector: str) -> bool:
    """Wait until a monitor is gone; False if it stays for some seconds."""

    async def is_gone() -> bool:
        return (await read_state(link)).monitor(connector) is None

    return await wait_until(is_gone, SETTLE_S)


def build_layout(logicals: Sequence[Logical]) -> str:
    """Write a layout for the journal."""
    return json.dumps([asdict(logical) for logical in logicals])


def parse_layout(text: str) -> tuple[Logical, ...]:
    """Read a layout from the journal; RemoteProtocolError for anything else."""
    try:
        found = json.loads(text)
        return tuple(_logical(fields) for fields in found)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"a journalled layout that is none: {error}") from error


def _logical(fields: dict[str, Any]) -> Logical:
    shown = tuple((str(connector), str(mode)) for connector, mode in fields["shown_by"])
    if not shown:
        raise ValueError("a logical monitor that nothing shows")
    return Logical(
        int(fields["x"]),
        int(fields["y"]),
        float(fields["scale"]),
        int(fields["transform"]),
        bool(fields["primary"]),
        shown,
    )
