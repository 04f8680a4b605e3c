"""What doctor says of sound, with servers and programs replaced."""

import pytest

from punktfunk.commands.status import describe
from punktfunk.config import Settings
from punktfunk.control.doctor.finding import Status
from punktfunk.control.doctor.sound import sound_findings
from punktfunk.plan import SoundServerKind
from punktfunk.realtime import probe_sound
from punktfunk.realtime.sound_probe import SoundProbe

HERE = {"XDG_RUNTIME_DIR": "/nowhere"}


def findings(probe=None, missing=(), **settings):
    answer = probe or SoundProbe(SoundServerKind.PIPEWIRE, "1.2.7", "card")
    return sound_findings(
        Settings(**settings), lambda *_: answer, HERE, lambda program: None if program in missing else program
    )


def test_all_is_well_and_said_in_one_line_each():
    sound, private = findings(audio_mode="both")
    assert (sound.status, private.status) == (Status.OK, Status.OK)
    assert sound.found.startswith("PipeWire 1.2.7: programs play into card, and into a stream")
    assert "the client and this machine hear it; clients may bring their microphone" in sound.found
    assert "microphones are off" in findings(microphone=False)[0].found


def test_what_is_missing_has_a_remedy():
    sound, private = findings(probe_sound("/nowhere/pipewire-0", ""), ("wireplumber", "pipewire-pulse"))
    assert sound.status is Status.DEGRADED
    assert sound.found == "no sound server listens on /nowhere/pipewire-0"
    assert "WirePlumber" in sound.remedy
    assert private.consequence == "Private sessions are silent."
    assert "wireplumber" in private.remedy
    assert "most games" in findings(missing=("pipewire-pulse",))[1].consequence


@pytest.mark.parametrize("settings", [{"audio": "tone"}, {"audio": "silence"}, {"display": "testcard"}])
def test_nothing_is_said_where_no_desktop_is_heard(settings):
    assert findings(**settings) == []


def test_status_says_how_late_the_sound_is():
    node = {
        "description": "punktfunk: stream to anna",
        "role": "sink",
        "node_generation": 1,
        "delay_us": 5400,
    }
    answer = {
        "name": "host",
        "version": "1",
        "pid": 1,
        "display": "sway",
        "ready": True,
        "gamestream": [],
        "native": [],
    }

    def line(**more):
        return describe({**answer, "sound": [{**node, **more}]})[1]

    assert line() == "sound: punktfunk: stream to anna: leaves 5.4 ms after it is played"
    assert line(delay_us=0).endswith("no program has played yet")
    assert line(node_generation=0).endswith("no sound server")
    assert line(role="microphone", node_short=3).endswith("3 samples came too late")


def test_a_session_of_our_own_has_no_server_of_the_user():
    assert [finding.check for finding in findings(session="sway")] == ["private sound"]
