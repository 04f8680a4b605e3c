"""Every kind of input that a stock Moonlight core can send, seen by a real Wayland client: ``wev`` in the host's sway."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Client, Host
from launching import list_apps, said, wait_for, wait_to_hear
from pictures import app_number
from sway_session import needs_sway

from punktfunk.control.pads.access import UHID, UINPUT, examine_node

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120), *needs_sway]

DOWN, UP = 3, 4
PRESS, RELEASE = 7, 8
SHIFT, CTRL = 1, 2
VK_A, VK_B, VK_Q, VK_NUMPAD7, VK_OEM_102, VK_LSHIFT, VK_VOLUME_UP = 0x41, 0x42, 0x51, 0x67, 0xE2, 0xA0, 0xAF
BUTTONS = {1: 272, 2: 274, 3: 273, 4: 275, 5: 276}
TEXT = "é€日😀"
UNKNOWN = 0xFFFF


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with an app that prints the input it gets, and one that outlives its streams."""
    folder = tmp_path_factory.mktemp("host")
    list_apps(folder, Events=["stdbuf", "-oL", "wev"])
    with Host(folder, display="sway", XKB_DEFAULT_LAYOUT="us") as running:
        yield running


class Events:
    """What wev printed since the stream began."""

    def __init__(self, host: Host, client: Client, **options: Any) -> None:
        self._host, self._skipped = host, len(said(host))
        client.stream(app_number(client, "Events"), width=1280, height=720, fps=30, **options)
        # The first of these moves, in the middle of the screen, is where wev's window learns of the pointer.
        self.wait("wl_pointer] enter")
        self.wait("wl_keyboard] enter")

    def lines(self) -> list[str]:
        return said(self._host)[self._skipped :]

    def wait(self, text: str) -> str:
        return wait_to_hear(self._host, text, since=self._skipped)

    def found(self, pattern: str) -> list[tuple[str, ...]]:
        """The groups of every line that matches, in order."""
        return [match.groups() for line in self.lines() if (match := re.search(pattern, line))]

    def pointed(self, pattern: str) -> list[tuple[str, ...]]:
        """The same of the pointer, once: wev takes another pointer when the seat changes, and keeps the old one."""
        return [groups for groups, _again in itertools.groupby(self.found(rf"wl_pointer\] {pattern}"))]


def key(code: int, action: int, modifiers: int = 0, flags: int = 0) -> list[Any]:
    """A key event as Moonlight sends it: with the high bit set."""
    return ["LiSendKeyboardEvent2", code - 0x8000, action, modifiers, flags]


def press(code: int, **options: int) -> list[list[Any]]:
    return [key(code, DOWN, **options), key(code, UP, **options)]


def text(characters: str) -> list[Any]:
    return ["LiSendUtf8TextEvent", characters, len(characters.encode())]


def accepted(client: Client, *calls: list[Any]) -> None:
    """Make calls that the core must take; it refuses what the host did not say it knows."""
    results = client("call", calls=list(calls))["results"]
    assert set(results) <= {0}, results


def test_mouse(host: Host, client: Client) -> None:
    events = Events(host, client)
    still = ["sleep", 0.05]  # the core sums up what moves within a millisecond
    accepted(
        client,
        ["LiSendMousePositionEvent", 100, 200, 1280, 720], still,
        ["LiSendMousePositionEvent", 320, 180, 640, 360], still,
        ["LiSendMouseMoveEvent", 5, -3], still,
        *[["LiSendMouseButtonEvent", action, button] for button in BUTTONS for action in (PRESS, RELEASE)],
        ["LiSendHighResScrollEvent", 120],
        ["LiSendHighResScrollEvent", -30],
        ["LiSendHighResHScrollEvent", 240],
        ["LiSendHighResHScrollEvent", -15],
    )  # fmt: skip
    events.wait("axis: 1 (horizontal), value: -1.875000")
    motions = events.pointed(r"(?:motion|enter):.* x, y: ([-\d.]+), ([-\d.]+)")
    places = [(float(x), float(y)) for x, y in motions]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(places)]
    # wev's places are those in its window, so the differences are what is known: from plane to plane, then 5 and -3.
    first = steps.index((540.0, 160.0))
    assert steps[first + 1] == (5.0, -3.0)
    seen = events.pointed(r"button:.* button: (\d+).* state: (\d)")
    assert seen == [(str(code), state) for code in BUTTONS.values() for state in "10"]
    assert events.pointed(r"axis:.* axis: (\d).* value: ([-\d.]+)") == [
        ("0", "-15.000000"),
        ("0", "3.750000"),
        ("1", "30.000000"),
        ("1", "-1.875000"),
    ]


def test_keyboard_and_text(host: Host, client: Client) -> None:
    events = Events(host, client)
    accepted(
        client,
        *press(VK_A),
        key(VK_LSHIFT, DOWN), *press(VK_A, modifiers=SHIFT), key(VK_LSHIFT, UP),
        *press(VK_B, modifiers=CTRL),
        *press(VK_NUMPAD7), *press(VK_OEM_102), *press(VK_VOLUME_UP),
        *press(VK_A, flags=1),
        ["sleep", 0.1],  # text has a channel of its own, and ENet orders only within one
        text(TEXT),
        ["sleep", 0.1],
        *press(VK_Q),
    )  # fmt: skip
    events.wait("utf8: 'q'")
    lines = "\n".join(events.lines())
    typed = re.findall(r"utf8: '(.+?)'", lines)
    assert [c for c in typed if c in "aAq7<" or c in TEXT] == ["a", "A", "7", "<", "a", *TEXT, "q"]
    for symbol in ("Shift_L", "Control_L", "KP_7", "less", "XF86AudioRaiseVolume"):
        assert f"sym: {symbol} " in lines
    assert "sym: b" in lines
    # The program must know that Control was down, though the client only said so beside the key.
    depressed = events.found(r"depressed: (\w+)")
    assert any(int(value, 16) & 4 for (value,) in depressed), depressed

    def keys(state: int) -> list[tuple[str, ...]]:
        return sorted(events.found(rf"wl_keyboard\] key:.* key: (\d+); state: {state}"))

    wait_for(lambda: keys(1) == keys(0), "everything pressed was released")  # the last a moment later


def test_what_is_held_at_the_end_is_released(host: Host, client: Client, identity_folder: Any) -> None:
    """The client vanishes with a key, a modifier and a button down; the program that had them sees them go up."""
    events = Events(host, client)
    accepted(client, key(VK_LSHIFT, DOWN), key(VK_Q, DOWN, SHIFT), ["LiSendMouseButtonEvent", PRESS, 1])
    events.wait("button: 272 (left), state: 1")
    events.wait("utf8: 'Q'")
    client("stop")
    events.wait("button: 272 (left), state: 0")
    q, shift = 16 + 8, 42 + 8  # as XKB counts
    wait_for(
        lambda: {(str(q),), (str(shift),)} <= set(events.found(r"wl_keyboard\] key:.* key: (\d+); state: 0")),
        "the keys go up",
    )
    with Client(identity_folder, host) as again:
        before = len(events.lines())
        again.stream(0, resume=True, fps=30)
        again.calls(*press(VK_Q))
        wait_for(lambda: any("utf8: 'q'" in line for line in events.lines()[before:]), "Shift is not stuck")


def test_touch_and_pen_are_the_mouse_here_and_pads_say_what_they_need(host: Host, client: Client) -> None:
    """A sway of our own reads no devices, so fingers and pen become its pointer; pads need the kernel's nodes."""
    events = Events(host, client)
    number = next(line for line in reversed(host.lines.seen) if line.startswith("stream ")).split(":")[0]
    touch = [
        ["LiSendTouchEvent", event, 7, x, 0.75, 0.5, 0.01, 0.01, UNKNOWN]
        for event, x in ((1, 0.25), (3, 0.5), (2, 0.5))
    ]
    pen = [["LiSendPenEvent", event, 1, 1, 0.75, 0.5, 0.5, 0.01, 0.01, UNKNOWN, 0xFF] for event in (0, 1, 2)]
    pen += [["LiSendPenEvent", 6, 1, 0, 0.75, 0.5, 0.0, 0.0, 0.0, UNKNOWN, 0xFF]]
    pads = [
        ["LiSendControllerArrivalEvent", 0, 1, 2, 0xFFFF, 0x3F],  # and an empty state after it
        ["LiSendMultiControllerEvent", 0, 1, 0x1000, 128, 255, -32768, 32767, 1, -1],
        ["LiSendControllerTouchEvent", 0, 1, 3, 0.5, 0.5, 1.0],
        ["sleep", 0.1],
        ["LiSendControllerMotionEvent", 0, 2, 1.5, -2.5, 3.5],
        ["sleep", 0.1],
        ["LiSendControllerMotionEvent", 0, 1, 0.0, 9.81, 0.0],
        ["LiSendControllerBatteryEvent", 0, 3, 80],
    ]
    accepted(client, *touch, ["sleep", 0.1], *pen, *pads, ["sleep", 0.3])
    client("wait", frames=1, seconds=3)
    assert client("report")["terminated"] is None
    clicks = ["272 1", "272 0", "273 1", "272 1", "272 0", "273 0"]
    wait_for(
        lambda: (
            [" ".join(found) for found in events.pointed(r"button:.* button: (\d+).* state: (\d)")] == clicks
        ),
        "finger and pen click",
    )
    client("stop")
    ended = host.lines.wait_for(f"{number}: ended", 10)
    usable = any(examine_node(node).usable for node in (UINPUT, UHID))
    assert usable or ", 7 input events without a device" in ended
    assert usable or any("punktfunk pads setup" in line for line in host.lines.seen)
    assert "failed" not in ended
