"""What of the GNOME backend needs no GNOME."""

import pytest
import trio

from punktfunk.control.displays.mutter.backend import REST_S, Shown, let_rest
from punktfunk.plan import Mode

MODE = Mode(1280, 720, 60000)


pytestmark = pytest.mark.trio


@pytest.mark.parametrize(
    ("since_s", "waited_s"), [(0, REST_S), (REST_S / 4, REST_S * 3 / 4), (REST_S * 2, 0), (None, 0)]
)
async def test_a_monitor_rests_after_its_mode_changed(autojump_clock, since_s, waited_s):
    shown = Shown(None, "Meta-2", MODE)
    if since_s is not None:
        shown.changed_s = trio.current_time()
        await trio.sleep(since_s)
    began_s = trio.current_time()
    with trio.CancelScope() as scope:
        scope.cancel()  # as when a client's session is cancelled
        await let_rest(shown)
    assert trio.current_time() - began_s == pytest.approx(waited_s)
