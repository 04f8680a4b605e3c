"""The service of punktfunk/1, made ready: what the settings and the machine mean for its sessions."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.apps import Catalogue
from punktfunk.control.chosen import sound
from punktfunk.control.deep_colour import deep_colour
from punktfunk.control.displays.base import DisplayBackend
from punktfunk.control.flight_log import FlightLog
from punktfunk.control.input.session import InputMeans
from punktfunk.control.native.desks import DeskMeans, Desks
from punktfunk.control.native.service import NativeService
from punktfunk.control.native.session import SessionMeans
from punktfunk.control.native.terms import NativeOffer
from punktfunk.control.occupancy import Occupancy
from punktfunk.control.sound.desk import SoundDesk
from punktfunk.plan import Codec, Pacing, RealtimePlan
from punktfunk.realtime import prefer, runnable_seals
from punktfunk.wire.native.capabilities import CompositorKind

if TYPE_CHECKING:
    from punktfunk.config import Settings

logger = logging.getLogger(__name__)

_COMPOSITORS: Final = {
    "attach": CompositorKind.WLROOTS,
    "sway": CompositorKind.WLROOTS,
    "wlroots": CompositorKind.WLROOTS,
    "kwin": CompositorKind.KWIN,
    "plasma": CompositorKind.KWIN,
    "gnome": CompositorKind.MUTTER,
    "hyprland": CompositorKind.HYPRLAND,
    "hyprland-own": CompositorKind.HYPRLAND,
    "gamescope": CompositorKind.GAMESCOPE,
    "gamescope-attached": CompositorKind.GAMESCOPE,
}


def _load_engine() -> type[object]:
    """Load what the first session would wait half a second for."""
    from punktfunk import realtime

    return realtime.NativeSender


async def _run_first(thread_id: int) -> None:
    """Have the control thread run before others that want the CPU: input, sound and clocks wait for it."""
    refusal = await trio.to_thread.run_sync(prefer, thread_id)
    logger.info("control thread niceness refusal=%r", refusal)


def begin_sessions(
    nursery: trio.Nursery,
    service: NativeService,
    settings: "Settings",
    backend: DisplayBackend,
    catalogue: Catalogue,
    encoders: Mapping[Codec, str],
    realtime: RealtimePlan,
    report: Callable[[str], None],
    flights: FlightLog,
    occupancy: Occupancy,
    sounds: SoundDesk | None = None,
    input_means: InputMeans | None = None,
) -> None:
    """Let sessions begin. ``nursery`` owns the displays of all clients."""
    offer = NativeOffer(
        encoders=encoders,
        deep_colour=deep_colour(encoders, backend),
        fec_percent=settings.native_fec_percent,
        pacing=Pacing.CAPPED if settings.native_pacing == "auto" else Pacing(settings.native_pacing),
        forced_pacing=settings.native_pacing != "auto",
        cipher=settings.native_cipher,
        aes_is_fast=runnable_seals()[0] != "evp",
        compositor=CompositorKind.AUTO,
        realtime=realtime,
        sound=sound(settings.audio, backend.name),
        pcm=settings.native_pcm,
    )

    async def fitted(offer: NativeOffer) -> NativeOffer:
        await backend.probe()  # which finds out where the next display would be
        name = backend.name.removeprefix("session-").removesuffix("-attached")
        return replace(
            offer,
            compositor=_COMPOSITORS.get(name, CompositorKind.AUTO),
            sound=sound(settings.audio, backend.name),
            sends_pointer=settings.display_cursor == "metadata" and getattr(backend, "sends_pointer", False),
        )

    desks = Desks(
        DeskMeans(
            *(backend, catalogue, settings.resume_timeout_s, settings.state, report),
            drop_linger_s=settings.linger_s,
            occupancy=occupancy,
        )
    )
    nursery.start_soon(desks.serve)
    nursery.start_soon(trio.to_thread.run_sync, _load_engine)
    nursery.start_soon(_run_first, threading.get_native_id())
    service.means = SessionMeans(
        offer, desks, report, flights, sounds=sounds, input=input_means or InputMeans(), renew=fitted
    )
