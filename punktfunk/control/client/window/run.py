"""``run_window``: the loop of the main thread.

    SDL events -> InputDesk -> Link -> session            (input, up)
    session -> pf-decode -> Presenter -> screen           (pictures, down)
    session -> Link -> Inbox -> Window                    (everything else, down)

The loop sleeps in SDL until an event, a picture, a message, or the next deadline.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from punktfunk.control.client.window.canvas import Canvas
from punktfunk.control.client.window.capture import Abilities
from punktfunk.control.client.window.commands import Command, help_line
from punktfunk.control.client.window.events import InputDesk
from punktfunk.control.client.window.link import Link, SessionFactory
from punktfunk.control.client.window.messages import (
    Dropped,
    Ended,
    Inbox,
    Message,
    Noticed,
    Opened,
    Said,
    Sounding,
    Told,
)
from punktfunk.control.client.window.options import WindowOptions
from punktfunk.control.client.window.overlay import Figures
from punktfunk.control.client.window.panels import Panels
from punktfunk.control.client.window.presenter import Presenter
from punktfunk.control.client.window.resize import SizeWatch
from punktfunk.control.client.window.sdl import need, pointer, sdl, set_hint
from punktfunk.control.client.window.statistics import RateMeter, figures_of
from punktfunk.control.client.window.voice import Voice
from punktfunk.errors import PunktfunkError
from punktfunk.plan import Mode
from punktfunk.realtime import SoundPlayer, prepare_process
from punktfunk.wire.native.capabilities import Grant
from punktfunk.wire.native.control import AccessUpdate, LaunchOutcome, Reconfigured
from punktfunk.wire.native.control_desk import LaunchKind
from punktfunk.wire.native.pad_output import (
    MicrophoneLight,
    PadLight,
    PlayerLights,
    Rumble,
    TriggerEffect,
)

JOIN_S: Final = 5.0
LONGEST_WAIT_MS: Final = 100
MOST_EVENTS: Final = 256
"""Events handled before a picture gets its turn."""

NEED_SESSION: Final = frozenset({Command.GRAB, Command.MOUSE_MODE, Command.TYPE_CLIPBOARD})


def run_window(session_factory: SessionFactory, options: WindowOptions, keep: Callable[..., Any]) -> None:
    """Show a host's sessions in a window until the user closes it. To be called by the main thread.

    ``keep`` is the client's ``keep_connected``. EnvironmentProblem without a display; the session's own
    error, after the window has shown it and was closed, if the connection failed for good.
    """
    prepare_process()
    lib = sdl()
    for hint in ("SDL_APP_NAME", "SDL_APP_ID", "SDL_VIDEO_X11_WMCLASS"):
        set_hint(hint, "punktfunk")
    set_hint("SDL_WINDOWS_NO_CLOSE_ON_ALT_F4", "1")
    set_hint("SDL_VIDEO_MINIMIZE_ON_FOCUS_LOSS", "0")
    set_hint("SDL_TOUCH_MOUSE_EVENTS", "0")
    set_hint("SDL_MOUSE_TOUCH_EVENTS", "0")
    set_hint("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "0")
    need(lib.SDL_Init(lib.SDL_INIT_VIDEO | lib.SDL_INIT_GAMECONTROLLER | lib.SDL_INIT_EVENTS), "start")
    lib.SDL_InitSubSystem(lib.SDL_INIT_AUDIO)  # without it the speaker says so when it is opened
    try:
        window = Window(session_factory, options, keep)
        try:
            window.run()
        finally:
            window.close()
    finally:
        lib.SDL_Quit()
    if window.error is not None:
        raise window.error


class Window:
    """Everything of the main thread."""

    def __init__(
        self, session_factory: SessionFactory, options: WindowOptions, keep: Callable[..., Any]
    ) -> None:
        lib = sdl()
        self._options = options
        self._canvas = Canvas(options)
        self._bell = lib.SDL_RegisterEvents(1)
        self._inbox = Inbox(self._ring)
        self._presenter = Presenter(self._canvas, self._ring)
        self._desk = InputDesk(self._canvas, relative=options.relative_mouse)
        self._panels = Panels(self._canvas, overlay=options.overlay)
        self._sizes = SizeWatch()
        self._meter = RateMeter()
        self._opened: Opened | None = None
        self._player: SoundPlayer | None = None
        self._muted = options.mute
        self._mode = Mode(options.width_px, options.height_px, 60_000)
        self._resized = False
        self._ended = False
        self._quit = False
        self.error: BaseException | None = None
        self._link = Link(
            session_factory,
            keep,
            options,
            self._inbox,
            self._presenter.show,
            self._presenter.delay_ns,
        )
        self._voice = Voice(self._link.speak, self._notice, self._lost_voice, wanted=options.microphone)
        self._commands: dict[Command, Callable[[], None]] = {
            Command.QUIT: self._leave,
            Command.FULLSCREEN: self._switch_fullscreen,
            Command.STATISTICS: self._panels.toggle_overlay,
            Command.GRAB: self._switch_grab,
            Command.MOUSE_MODE: self._switch_mouse,
            Command.TYPE_CLIPBOARD: self._desk.type_clipboard,
            Command.MICROPHONE: self._voice.toggle,
            Command.MUTE: self._switch_sound,
        }
        self._panels.say("Connecting…")

    def run(self) -> None:
        """Run until the user has closed the window."""
        self._link.start()
        event = sdl().SDL_Event()
        while not self._quit:
            self._wait(event)
            for message in self._inbox.take():
                self._take(message)
            now_ns = time.monotonic_ns()
            self._tick(now_ns)
            self._link.send(self._desk.take(now_ns))
            self._presenter.pump(time.monotonic_ns())

    def close(self) -> None:
        """Leave the host, and give everything back."""
        self._voice.end()
        self._desk.controllers.silence()
        hanging = not self._link.stop(JOIN_S)
        self._desk.controllers.close()
        self._canvas.close()
        if hanging and self.error is None:
            self.error = PunktfunkError(f"the session's thread did not end within {JOIN_S:.0f} s")

    def _ring(self) -> None:
        """Wake the main thread; any thread."""
        lib = sdl()
        event = lib.SDL_Event()
        event.type = self._bell
        lib.SDL_PushEvent(pointer(event))

    def _wait(self, event: Any) -> None:
        lib = sdl()
        now_ns = time.monotonic_ns()
        wake_ns = [
            deadline_ns
            for deadline_ns in (
                self._presenter.wake_ns(now_ns),
                self._desk.pads.deadline_ns(),
                self._sizes.deadline_ns() if self._opened is not None else None,
                self._panels.deadline_ns(),
            )
            if deadline_ns is not None
        ]
        left_ns = max(0, min(wake_ns, default=now_ns + LONGEST_WAIT_MS * 1_000_000) - now_ns)
        got = lib.SDL_WaitEventTimeout(pointer(event), min(left_ns // 1_000_000, LONGEST_WAIT_MS))
        for _ in range(MOST_EVENTS):
            if not got:
                break
            self._handle(event)
            got = lib.SDL_PollEvent(pointer(event))
        else:
            return
        if 0 < left_ns < 1_000_000:
            time.sleep(left_ns / 1e9)  # SDL counts milliseconds

    def _handle(self, event: Any) -> None:
        lib = sdl()
        if event.type == lib.SDL_QUIT:
            self._quit = True
        elif event.type in {lib.SDL_RENDER_TARGETS_RESET, lib.SDL_RENDER_DEVICE_RESET}:
            self._canvas.lost()
            self._panels.redraw()
            self._presenter.redraw()
        elif event.type == lib.SDL_WINDOWEVENT:
            self._window_event(event.window.event)
        if self._ended and event.type == lib.SDL_KEYDOWN and event.key.keysym.sym == lib.SDLK_ESCAPE:
            self._quit = True
        command = self._desk.handle(event)
        if command is not None:
            self._obey(command)

    def _window_event(self, kind: int) -> None:
        lib = sdl()
        if kind in {lib.SDL_WINDOWEVENT_SIZE_CHANGED, lib.SDL_WINDOWEVENT_EXPOSED}:
            self._panels.redraw()
            self._presenter.redraw()
        if kind == lib.SDL_WINDOWEVENT_SIZE_CHANGED:
            self._resized = True
            self._follow_size()
        if kind in {lib.SDL_WINDOWEVENT_DISPLAY_CHANGED, lib.SDL_WINDOWEVENT_MOVED}:
            self._presenter.moved_to_display()

    def _follow_size(self) -> None:
        if self._options.follow_size:
            self._sizes.changed(self._canvas.size_px, time.monotonic_ns())

    def _obey(self, command: Command) -> None:
        """Do what a chord of keys asks for."""
        if command in NEED_SESSION and self._opened is None:
            self._notice("There is no session yet")
            return
        self._commands[command]()
        self._presenter.redraw()

    def _leave(self) -> None:
        self._quit = True

    def _switch_fullscreen(self) -> None:
        on = not self._canvas.fullscreen
        self._canvas.set_fullscreen(on=on)
        if self._opened is not None:
            self._desk.grab(on=on)

    def _switch_grab(self) -> None:
        self._desk.grab(on=not self._desk.grabbed)
        self._notice("Mouse and keyboard are the host's" if self._desk.grabbed else "Released")

    def _switch_mouse(self) -> None:
        self._desk.set_relative(on=not self._desk.relative)
        self._notice("Mouse for games" if self._desk.relative else "Mouse for the desktop")

    def _switch_sound(self) -> None:
        self._muted = not self._muted
        if self._player is not None:
            self._player.silence(on=self._muted)
        self._notice("Sound off" if self._muted else "Sound on")

    def _take(self, message: Message) -> None:
        match message:
            case Said(text) if self._opened is not None:
                self._notice(text)
            case Said(text):
                self._panels.say(text)
            case Noticed(text):
                self._notice(text)
            case Opened():
                self._begin(message)
            case Sounding(player):
                self._player = player
                player.silence(on=self._muted)
            case Told(value):
                self._hear(value)
            case Dropped():
                self._end()
            case Ended(error):
                self._finish(error)
        self._presenter.redraw()

    def _begin(self, opened: Opened) -> None:
        self._opened = opened
        welcome = opened.session.welcome
        self._set_mode(welcome.width_px, welcome.height_px, welcome.refresh_hz)
        self._canvas.set_colours(opened.plan.colour_space, full_range=opened.plan.full_range)
        self._presenter.begin(opened.session, welcome.refresh_hz)
        abilities = Abilities(welcome.host_caps, welcome.host_caps2, welcome.grants)
        self._desk.begin(abilities, (welcome.width_px, welcome.height_px))
        self._desk.show_pointer()
        self._panels.say("Waiting for the first picture…", until_picture=True)
        self._notice(help_line())
        if self._resized or self._canvas.fullscreen:
            self._follow_size()
        self._voice.begin(allowed=bool(welcome.grants & Grant.MICROPHONE))

    def _end(self) -> None:
        self._voice.end()
        self._desk.controllers.silence()
        self._opened = None
        self._player = None
        self._presenter.end()
        self._desk.end()
        self._desk.show_pointer()
        self._panels.say("The connection was lost…")

    def _finish(self, error: BaseException | None) -> None:
        self._ended = True
        self.error = error
        if error is None or not isinstance(error, PunktfunkError):
            self._quit = True  # wished, or a bug whose traceback belongs on the terminal
            return
        hint = f"\n\n{error.hint}" if error.hint else ""
        self._panels.say(f"{error}.{hint}\n\nPress Escape to close this window.")

    def _hear(self, value: Any) -> None:
        """Act on what the host said."""
        match value:
            case Reconfigured():
                self._set_mode(value.width_px, value.height_px, value.refresh_hz)
                self._desk.resized((value.width_px, value.height_px))
                if not value.accepted:
                    self._notice(f"The host keeps {self._mode}")
            case AccessUpdate():
                self._desk.change_grants(value.grants)
                self._voice.begin(allowed=bool(value.grants & Grant.MICROPHONE))
                if value.expires_in_s:
                    self._notice(f"Access ends in {max(1, round(value.expires_in_s / 60))} min")
            case LaunchOutcome() if value.kind >= LaunchKind.ADOPTED_UNSEEN and value.text:
                self._notice(value.text)
            case Rumble() | PadLight() | TriggerEffect() | PlayerLights() | MicrophoneLight():
                self._desk.controllers.obey(value)

    def _set_mode(self, width_px: int, height_px: int, refresh_hz: int) -> None:
        self._mode = Mode(width_px, height_px, refresh_hz * 1000)
        self._sizes.live((width_px, height_px))
        self._presenter.changed_rate(refresh_hz)

    def _lost_voice(self, error: BaseException) -> None:
        self._inbox.put(Noticed(f"The microphone has stopped: {error}"))

    def _tick(self, now_ns: int) -> None:
        if self._opened is not None and (size := self._sizes.due(now_ns)) is not None:
            self._link.ask_mode(Mode(*size, self._mode.refresh_millihertz))
        self._panels.picture_came(live=not self._presenter.dimmed)
        if self._panels.tick(now_ns, self._figures):
            self._presenter.redraw()

    def _figures(self) -> Figures:
        parts = self._opened, self._presenter, self._canvas, self._player, self._mode
        return figures_of(self._options.title, *parts, self._meter)

    def _notice(self, text: str) -> None:
        self._panels.notice(text, time.monotonic_ns())
        self._presenter.redraw()
