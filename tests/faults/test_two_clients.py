"""Two stock clients at once on one sway desktop, one display too many, and a host killed while others are off."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Client, Host, paired
from launching import PAINTER, list_apps, wait_for
from pictures import app_number
from sway_session import SWAYS, needs_sway
from users_desktop import outputs, users_sway

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120), *needs_sway]


@pytest.fixture(params=SWAYS[1:])
def session(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The user's own desktop: a sway with one monitor."""
    with users_sway(request.param) as session:
        yield session


def mode_of(session: dict[str, str], name: str) -> tuple[int, int]:
    mode = outputs(session)[name]["current_mode"]
    return mode["width"], mode["height"]


def barcodes(client: Client) -> list[int]:
    """The barcodes that were decoded; every frame from the first with one on must have one."""
    report = client("report")
    assert report["terminated"] is None
    numbers = [frame.get("number") for frame in report["frames"]]
    shown = numbers[next(at for at, number in enumerate(numbers) if number is not None) :]
    assert None not in shown
    assert shown == sorted(shown)
    return shown


def test_two_clients_have_a_display_each_and_a_third_is_told_that_there_are_enough(
    session: dict[str, str], tmp_path: Path
) -> None:
    list_apps(tmp_path, Painter=PAINTER)
    with (
        Host(tmp_path, display="attach", PUNKTFUNK_DISPLAY_LIMIT="2", **session) as host,
        paired(tmp_path, host, "anna") as anna,
        paired(tmp_path, host, "berta") as berta,
        paired(tmp_path, host, "carla") as carla,
    ):
        for client, size in ((anna, (640, 360)), (berta, (480, 640))):
            client.stream(app_number(client, "Painter"), width=size[0], height=size[1], fps=30)
        made = sorted(set(outputs(session)) - {"HEADLESS-1"})
        assert [mode_of(session, name) for name in made] == [(640, 360), (480, 640)]
        refusal = carla.refused("start", app_id=app_number(carla, "Painter"), width=320, height=240, fps=30)
        assert "2 displays already, for anna, berta" in refusal
        for client in (anna, berta):
            client("wait", frames=30, seconds=8)
            assert len(barcodes(client)) > 10
        anna("quit")
        wait_for(lambda: made[0] not in outputs(session), "the first display goes")
        assert mode_of(session, made[1]) == (480, 640)
        berta("wait", frames=10, seconds=5)
        assert berta("report")["terminated"] is None
        berta("quit")
        wait_for(lambda: set(outputs(session)) == {"HEADLESS-1"}, "the second display goes")


@pytest.mark.slow
def test_monitors_are_on_again_after_a_killed_host_starts_anew(
    session: dict[str, str], tmp_path: Path
) -> None:
    before = outputs(session)["HEADLESS-1"]["rect"]
    options = {"PUNKTFUNK_DISPLAY_ARRANGEMENT": "exclusive", **session}
    host = Host(tmp_path, display="attach", **options)
    with host, paired(tmp_path, host) as client:
        client.stream(app_number(client, "Desktop"), width=640, height=360, fps=30)
        assert [name for name, output in outputs(session).items() if output["active"]] != ["HEADLESS-1"]
        assert not outputs(session)["HEADLESS-1"]["active"]
        host.stop(signal.SIGKILL)
        assert not outputs(session)["HEADLESS-1"]["active"]
    with Host(tmp_path, display="attach", **session) as again:
        assert any("switched HEADLESS-1 on again" in line for line in again.lines.seen)
        assert {name: output["rect"] for name, output in outputs(session).items()} == {"HEADLESS-1": before}
