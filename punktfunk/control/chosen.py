"""What the settings mean for the parts of the host that know no settings."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from punktfunk import paths
from punktfunk.control.apps import AppSpec, PrepStep
from punktfunk.control.displays.base import DisplayBackend, DisplayOptions
from punktfunk.control.displays.choice import choose_backend
from punktfunk.control.input.session import InputMeans
from punktfunk.control.pads.hub import PadMeans
from punktfunk.control.sound.desk import SoundDesk
from punktfunk.control.system.journal import Journal
from punktfunk.plan import AudioSource, CursorMode

if TYPE_CHECKING:
    from punktfunk.config import AppSettings, Settings


def app_spec(app: "AppSettings") -> AppSpec:
    """Turn one [[apps]] table into what the catalogue takes."""
    return AppSpec(
        name=app.name,
        command=app.command,
        environment=app.environment,
        working_folder=app.working_folder,
        prep=[PrepStep(step.do, step.undo) for step in app.prep],
        image=app.image,
    )


def sound(setting: str, backend: str) -> AudioSource:
    """Choose the sound: the test card has a tone, a desktop its own."""
    if setting == "auto":
        return AudioSource.TONE if backend == "testcard" else AudioSource.DESKTOP
    return AudioSource(setting)


def sound_desk(settings: "Settings") -> SoundDesk:
    """Make what the sounds of all sessions share."""
    journal = Journal(paths.runtime_folder(settings.state))
    return SoundDesk(journal, settings.audio_mode, microphone=settings.microphone)


def input_means(settings: "Settings") -> InputMeans:
    """Collect what the settings say about every session's input; its pads share the host's player slots."""
    return InputMeans(
        settings.input, settings.keyboard, PadMeans(settings.pads, players=settings.pads_by_player)
    )


def display_options(settings: "Settings") -> DisplayOptions:
    """Collect what the settings say about every display."""
    return DisplayOptions(
        arrangement=settings.display_arrangement,
        scale=settings.display_scale,
        position=settings.display_position,
        limit=settings.display_limit,
        cursor=CursorMode(settings.display_cursor),
        monitor=settings.display_monitor,
        state_folder=settings.state,
    )


async def chosen_backend(
    settings: "Settings", runtime_folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[DisplayBackend, str]:
    """Pick the display backend that the settings mean, and say why; see ``choose_backend``."""
    return await choose_backend(
        settings.display,
        runtime_folder,
        display_options(settings),
        environment,
        testcard_noise=settings.testcard == "noise",
        may_wait=True,
    )


def sending_cpu(setting: int | None) -> int | None:
    """Pin the sending thread to the last CPU that we may use, far from CPU 0 and its interrupts."""
    if setting is not None:
        return setting
    ordered = sorted(os.sched_getaffinity(0))
    return ordered[-1] if len(ordered) > 1 else None
