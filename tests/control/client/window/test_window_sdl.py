"""The window with SDL's dummy drivers: panels, events, sound devices, and whole sessions without a network."""

import ctypes
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import trio
from fake_session import Card, Watch, factory_of, keep, welcome_of

from punktfunk.control.client.window import WindowOptions, run_window
from punktfunk.control.client.window import sdl as sdl_module
from punktfunk.control.client.window.canvas import Canvas
from punktfunk.control.client.window.capture import Abilities
from punktfunk.control.client.window.commands import Command
from punktfunk.control.client.window.events import InputDesk
from punktfunk.control.client.window.link import first_problem
from punktfunk.control.client.window.overlay import Figures, lines
from punktfunk.control.client.window.panels import NOTICE_NS, Panels
from punktfunk.control.client.window.plans import decode_plan, sound_plan
from punktfunk.control.client.window.speaker import SdlMicrophone, SdlSpeaker
from punktfunk.control.client.window.text import CHARACTERS, cell_px, coverage, panel, wrap
from punktfunk.control.client.window.voice import Voice
from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import Codec, ColourSpace, DecodePlan, Mode
from punktfunk.realtime import StageTimes, VoiceEncoder
from punktfunk.realtime.decode.lavc import LavcDecoder
from punktfunk.wire.native.capabilities import CodecBit, HostCap, HostCap2
from punktfunk.wire.native.control import AccessUpdate, AudioState, Reconfigured
from punktfunk.wire.native.datagrams import MicFrame
from punktfunk.wire.native.input import (
    ButtonEdge,
    KeyEdge,
    PadPlugged,
    PadRemoval,
    PointerMove,
    PointerPosition,
    TextScalar,
)
from punktfunk.wire.native.pad_output import PadLight, Rumble, TriggerEffect
from punktfunk.wire.native.rich_input import MotionSample, TouchpadContact

SMALL = Mode(320, 240, 60_000)
OPTIONS = WindowOptions(title="test", width_px=640, height_px=360, renderer="software", hardware="none")


@pytest.fixture
def canvas(lib):
    opened = Canvas(OPTIONS)
    yield opened
    opened.close()


def pixels_of(canvas, lib):
    """What was drawn, (height, width, 4) BGRA."""
    width, height = canvas.size_px
    pixels = np.zeros((height, width, 4), np.uint8)
    pointer = pixels.ctypes.data_as(ctypes.c_void_p)
    assert not lib.SDL_RenderReadPixels(
        canvas._renderer, None, lib.SDL_PIXELFORMAT_ARGB8888, pointer, width * 4
    )
    return pixels


def test_text_wraps_at_spaces_and_nowhere_else_if_it_can():
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("a\n\nb", 8) == ["a", "", "b"]
    assert wrap("x" * 20, 8) == ["x" * 8, "x" * 8, "x" * 4]
    assert wrap("", 8) == [""]


def test_letters_differ_and_unknown_ones_are_question_marks():
    width, height = cell_px(15)
    row = coverage([CHARACTERS], 15)
    assert row.shape == (height, width * len(CHARACTERS))
    glyphs = {row[:, place * width : (place + 1) * width].tobytes() for place in range(95)}
    assert len(glyphs) == 95
    assert (coverage(["\u65e5"], 15) == coverage(["?"], 15)).all()
    block = panel(["ab", "c"], 28)
    assert block.shape[2] == 4
    assert block[:, :, 3].min() >= 200


def test_the_overlay_shows_numbers_or_dashes():
    figures = Figures(
        title="desk",
        mode="1280x720@60 in 640 x 360",
        decoder="h264 (software)",
        renderer="software",
        display_hz=0,
        locked=False,
        frames_per_s=59.94,
        step_p99_ns=17_000_000,
        stream_hz=60.0,
        jitter_ns=400_000,
        hold_ns=0,
        left_out_count=2,
        held_count=1,
        stages={"total": StageTimes(20_000_000, 31_500_000, 40_000_000, 9)},
        session={"bitrate_kbps": 20_000, "loss_ppm": 1500},
        notes=("cuda cannot be opened",),
    )
    text = "\n".join(lines(figures))
    assert "59.9 fps of 60" in text
    assert "loss 0.15 %" in text
    assert "parity - %" in text
    assert "total         20.00    31.50    40.00" in text
    assert "host              -        -        -" in text
    assert "! cuda cannot be opened" in text
    assert max(map(len, text.split("\n"))) < 80


def test_the_picture_is_in_the_middle_in_its_colours_and_dimmed_without_a_session(canvas, lib):
    card = Card(SMALL)
    plan = DecodePlan(Codec.H264, ColourSpace.BT709, full_range=False, hardware="none")
    (decoded,) = LavcDecoder(plan).decode(card.unit().access_unit, 0)
    card.close()
    canvas.set_colours(ColourSpace.BT709, full_range=False)
    canvas.upload(decoded.frame)
    assert canvas.picture_box() == (80, 0, 480, 360)
    canvas.draw(dimmed=False)
    shown = pixels_of(canvas, lib).astype(int)
    assert not shown[:, :78, :3].any()
    yellow = shown[180, 80 + 480 * 3 // 14]
    assert np.abs(yellow[:3] - (0, 0xBF, 0xBF)).max() < 12
    canvas.draw(dimmed=True)
    assert pixels_of(canvas, lib)[180, 80 + 480 * 3 // 14, 1] < 90
    canvas.swap()


def test_panels_come_and_go(canvas, lib):
    panels = Panels(canvas, overlay=False)
    panels.say("Connecting", until_picture=True)
    panels.notice("Released", 0)
    canvas.draw(dimmed=True)
    assert pixels_of(canvas, lib)[:, :, :3].max() > 200
    panels.picture_came(live=True)
    assert panels.deadline_ns() == NOTICE_NS
    assert panels.tick(NOTICE_NS, lambda: None)
    canvas.draw(dimmed=True)
    assert not pixels_of(canvas, lib)[:, :, :3].any()


def event_of(lib, kind, **fields):
    event = lib.SDL_Event()
    event.type = kind
    for path, value in fields.items():
        target = event
        *parents, name = path.split("__")
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, name, value)
    return event


def key_event(lib, scancode, *, pressed=True, modifiers=0, repeat=0):
    kind = lib.SDL_KEYDOWN if pressed else lib.SDL_KEYUP
    return event_of(lib, kind, key__keysym__scancode=scancode, key__keysym__mod=modifiers, key__repeat=repeat)


@pytest.fixture
def desk(canvas):
    made = InputDesk(canvas, relative=False)
    made.begin(Abilities(HostCap.TEXT, HostCap2.TOUCH), (1280, 720))
    return made


def test_keys_pass_and_commands_do_not(desk, lib):
    assert desk.handle(key_event(lib, 4)) is None
    assert desk.handle(key_event(lib, 4, repeat=1)) is None
    chord = lib.KMOD_LCTRL | lib.KMOD_LALT | lib.KMOD_LSHIFT
    assert desk.handle(key_event(lib, 22, modifiers=chord)) is Command.STATISTICS
    assert desk.handle(key_event(lib, 22, pressed=False, modifiers=chord)) is None
    assert desk.take(0) == [KeyEdge(0x41, pressed=True), KeyEdge(0x41, pressed=False)]


def test_text_is_sent_only_where_no_key_made_it(desk, lib):
    typed = event_of(lib, lib.SDL_TEXTINPUT, text__text="é".encode())
    desk.handle(key_event(lib, 4))
    desk.handle(typed)
    desk.handle(typed)
    assert desk.take(0) == [KeyEdge(0x41, pressed=True), TextScalar(0xE9)]


def test_the_pointer_of_the_desktop_is_absolute(desk, lib):
    desk.handle(event_of(lib, lib.SDL_MOUSEMOTION, motion__x=9, motion__y=9))
    desk.handle(event_of(lib, lib.SDL_MOUSEBUTTONDOWN, button__button=3, button__x=0, button__y=0))
    assert desk.take(0) == [PointerPosition(0, 0, 1280, 720), ButtonEdge(3, pressed=True)]
    desk.handle(event_of(lib, lib.SDL_MOUSEMOTION, motion__x=320, motion__y=180))
    assert desk.take(0) == [PointerPosition(640, 360, 1280, 720)]


def test_the_mouse_for_games_is_grabbed_by_a_click_and_let_go_with_the_keyboard(desk, lib):
    desk.set_relative(on=True)
    desk.grab(on=False)
    motion = event_of(lib, lib.SDL_MOUSEMOTION, motion__xrel=3, motion__yrel=-2)
    click = event_of(lib, lib.SDL_MOUSEBUTTONDOWN, button__button=1)
    desk.handle(motion)
    desk.handle(click)
    assert desk.grabbed
    desk.handle(motion)
    desk.handle(motion)
    desk.handle(click)
    assert desk.take(0) == [PointerMove(6, -4), ButtonEdge(1, pressed=True)]
    desk.handle(event_of(lib, lib.SDL_WINDOWEVENT, window__event=lib.SDL_WINDOWEVENT_FOCUS_LOST))
    assert desk.take(0) == [ButtonEdge(1, pressed=False)]
    assert not desk.grabbed


def test_nothing_is_sent_without_a_session(desk, lib):
    desk.end()
    desk.handle(key_event(lib, 4))
    desk.handle(event_of(lib, lib.SDL_MOUSEMOTION, motion__x=3))
    assert desk.take(0) == []


def test_unknown_pads_are_no_pads(desk, lib):
    desk.handle(event_of(lib, lib.SDL_CONTROLLERDEVICEADDED, cdevice__which=99))
    desk.handle(event_of(lib, lib.SDL_CONTROLLERBUTTONDOWN, cbutton__which=99, cbutton__button=0))
    desk.controllers.obey(Rumble(0, 1, 2, 3, 400))
    desk.controllers.obey(PadLight(0, 1, 2, 3))
    desk.controllers.silence()
    assert desk.take(0) == []


def test_a_pad_that_sdl_knows_is_announced_moves_rumbles_and_goes(desk, lib):
    index = lib.SDL_JoystickAttachVirtual(lib.SDL_JOYSTICK_TYPE_GAMECONTROLLER, 6, 21, 0)
    if index < 0:
        pytest.skip("this SDL has no virtual joysticks")
    desk.begin(Abilities(HostCap.PAD_SNAPSHOTS), (1280, 720))
    pump(desk, lib)
    plugged, *_ = desk.take(0)
    assert isinstance(plugged, PadPlugged)
    stick = lib.SDL_JoystickFromInstanceID(next(iter(desk.controllers._opened)))
    lib.SDL_JoystickSetVirtualButton(stick, 0, 1)
    lib.SDL_JoystickSetVirtualAxis(stick, 1, -32768)
    pump(desk, lib)
    last = desk.take(1)[-1]
    assert (last.buttons, last.left_y) == (0x1000, 32767)
    feel(desk, lib, next(iter(desk.controllers._opened)))
    assert desk.take(1) == [
        TouchpadContact(0, 1, active=True, x=0x8000, y=0xFFFF),
        TouchpadContact(0, 1, active=False, x=0x8000, y=0xFFFF),
        MotionSample(0, (0, 0, 0), (0, 0, 10_000)),
    ]
    desk.controllers.obey(Rumble(0, 65535, 0, 1, 400))
    desk.controllers.obey(PadLight(0, 255, 0, 0))
    desk.controllers.obey(TriggerEffect(0, 1, bytes(11)))  # no DualSense: SDL is not asked
    desk.controllers.silence()
    lib.SDL_JoystickDetachVirtual(index)
    pump(desk, lib)
    assert PadRemoval in [type(event) for event in desk.take(2)]


def feel(desk, lib, instance):
    finger = {"ctouchpad__which": instance, "ctouchpad__finger": 1, "ctouchpad__x": 0.5, "ctouchpad__y": 1.0}
    desk.handle(event_of(lib, lib.SDL_CONTROLLERTOUCHPADDOWN, **finger))
    desk.handle(event_of(lib, lib.SDL_CONTROLLERTOUCHPADUP, **finger))
    sensed = event_of(lib, lib.SDL_CONTROLLERSENSORUPDATE, csensor__which=instance, csensor__sensor=1)
    sensed.csensor.data[2] = 9.80665
    desk.handle(sensed)
    sensed.csensor.which = 99  # a pad that nobody knows
    desk.handle(sensed)


def pump(desk, lib):
    """Let SDL notice what its devices did, and handle it."""
    lib.SDL_PumpEvents()
    event = lib.SDL_Event()
    while lib.SDL_PollEvent(ctypes.byref(event)):
        desk.handle(event)


def test_the_speaker_tells_what_waits(lib):
    speaker = SdlSpeaker(2, 48_000)
    speaker.play(np.zeros((4800, 2), np.float32))
    assert 50_000_000 < speaker.waiting_ns() <= 100_000_000
    assert speaker.latency_ns > 0
    speaker.close()


def test_the_microphone_gives_whole_packets_or_none(lib):
    microphone = SdlMicrophone(48_000)
    taken = microphone.take(2)
    assert taken is None or len(taken) == 2
    assert microphone.take(1 << 20) is None
    microphone.close()


def test_speech_becomes_packets_of_ten_milliseconds():
    encoder = VoiceEncoder()
    wave = (np.sin(np.arange(VoiceEncoder.PACKET_SAMPLES) / 20) * 9000).astype("<i2").tobytes()
    packets = [packet for _ in range(20) for packet in encoder.encode(wave)]
    assert 18 <= len(packets) <= 20
    assert all(len(packet) < 200 for packet in packets)


def test_the_microphone_follows_wish_and_right(lib, monkeypatch):
    opened, said = [], []

    def make(send, failed, sequence):
        opened.append(sequence)
        return SimpleNamespace(sequence=sequence + 10, stop=lambda: opened.append("stopped"))

    monkeypatch.setattr("punktfunk.control.client.window.voice.Microphone", make)
    voice = Voice(print, said.append, print, wanted=True)
    voice.begin(allowed=True)
    voice.begin(allowed=False)
    voice.begin(allowed=True)
    voice.end()
    voice.toggle()
    assert opened == [0, "stopped", 10, "stopped"]
    assert "The host does not allow the microphone" in said


def test_without_sdl_the_problem_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sdl2", None)
    sdl_module.sdl.cache_clear()
    try:
        with pytest.raises(EnvironmentProblem, match="SDL2") as caught:
            sdl_module.sdl()
        assert "punktfunk[client]" in caught.value.hint
    finally:
        monkeypatch.undo()
        sdl_module.sdl.cache_clear()


def test_a_window_that_cannot_open_says_what_to_do(lib, monkeypatch):
    with pytest.raises(EnvironmentProblem, match="cannot open a window") as caught:
        sdl_module.need(None, "open a window")
    assert "--headless" in caught.value.hint


def test_plans_come_from_welcome_alone():
    welcome = welcome_of(SMALL, codec=CodecBit.HEVC, colour_matrix=6, colour_full_range=1, audio_channels=6)
    assert decode_plan(welcome, "vaapi") == DecodePlan(
        Codec.HEVC, ColourSpace.BT601, full_range=True, hardware="vaapi"
    )
    assert (sound_plan(welcome).channel_count, sound_plan(welcome).frame_us) == (6, 5000)
    pcm = welcome_of(SMALL, audio_codec=2, audio_rate_hz=96_000, audio_bits=24, audio_frame_us=2500)
    assert sound_plan(pcm).rate_hz == 96_000
    with pytest.raises(EnvironmentProblem, match="codec"):
        decode_plan(welcome_of(SMALL, codec=CodecBit.PYROWAVE), "auto")


def test_of_a_group_of_errors_ours_is_shown():
    ours = PunktfunkError("the host left")
    group = BaseExceptionGroup("", [ValueError("x"), ExceptionGroup("", [KeyError("y"), ours])])
    assert first_problem(group) is ours
    assert isinstance(first_problem(BaseExceptionGroup("", [ValueError("x")])), ValueError)


def push(kind, **fields):
    """Do as the user does, from the session's thread."""
    lib = sdl_module.sdl()
    lib.SDL_PushEvent(ctypes.byref(event_of(lib, kind, **fields)))


def driven(script):
    """Keep sessions as the client does, with a script beside them."""

    async def keeping(factory, use, report):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep, factory, use, report)
            await script()
            push(sdl_module.sdl().SDL_QUIT)

    return keeping


def test_a_whole_session_shows_pictures_takes_input_and_comes_back_after_a_drop():
    sessions, watch = [], Watch()

    async def script():
        lib = sdl_module.sdl()
        await watch.until(lambda: sessions and sessions[0].frames.presented_count >= 3)
        first = sessions[0]
        kept = Reconfigured(accepted=False, width_px=320, height_px=240, refresh_hz=60)
        for value in (AudioState(muted=False), kept, Rumble(0, 1, 1, 1, 400)):
            first.say.send_nowait(value)
        first.say.send_nowait(AccessUpdate(first.welcome.grants, 300))
        push(lib.SDL_KEYDOWN, key__keysym__scancode=4)
        await watch.until(lambda: first.inputs)
        push(lib.SDL_WINDOWEVENT, window__event=lib.SDL_WINDOWEVENT_SIZE_CHANGED)
        await watch.until(lambda: first.modes)
        await watch.until(lambda: first.datagrams)
        first.closed.set()
        await watch.until(lambda: len(sessions) == 2 and sessions[1].frames.presented_count >= 2)

    options = replace(OPTIONS, microphone=True, overlay=True)
    run_window(factory_of(SMALL, sessions, watch), options, driven(script))
    assert isinstance(sessions[0].datagrams[0], MicFrame)
    assert sessions[0].inputs[0] == KeyEdge(0x41, pressed=True)
    assert sessions[0].modes[0] == Mode(640, 360, 60_000)


def test_a_failure_is_shown_until_escape_and_raised(monkeypatch):
    said = []
    say = Panels.say

    def listen(panels, text, **how):
        said.append(text)
        say(panels, text, **how)
        lib = sdl_module.sdl()
        push(lib.SDL_KEYDOWN, key__keysym__scancode=41, key__keysym__sym=lib.SDLK_ESCAPE)

    async def refuse(factory, use, report):
        report("Connecting to desk")
        raise PunktfunkError("desk refused", hint="Pair first.")

    monkeypatch.setattr(Panels, "say", listen)
    with pytest.raises(PunktfunkError, match="desk refused"):
        run_window(factory_of(SMALL, []), OPTIONS, refuse)
    assert said == [
        "Connecting…",
        "Connecting to desk",
        "desk refused.\n\nPair first.\n\nPress Escape to close this window.",
    ]


def test_a_bug_of_the_session_closes_the_window_at_once():
    async def stumble(factory, use, report):
        raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        run_window(factory_of(SMALL, []), OPTIONS, stumble)
