"""What the settings mean for pictures: a session of our own with its backend, or a backend alone."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from punktfunk.control.chosen import chosen_backend, display_options
from punktfunk.control.desktop.backend import InSession
from punktfunk.control.desktop.kinds import find_kind
from punktfunk.control.desktop.session import OwnSession, own_session
from punktfunk.control.displays.base import DisplayBackend
from punktfunk.control.displays.choice import make_backend
from punktfunk.control.displays.limit import LimitedBackend
from punktfunk.control.system.journal import Journal
from punktfunk.errors import ConfigError

if TYPE_CHECKING:
    from punktfunk.config import Settings

LOG_FOLDER: Final = "session"
"""In the state folder: what the parts of a session said."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where pictures come from."""

    backend: DisplayBackend
    session: OwnSession | None = None

    def status(self) -> dict[str, Any] | None:
        """Describe the session of our own, in values that JSON knows; None without one."""
        return self.session.status() if self.session is not None else None


@asynccontextmanager
async def opened_picture(
    settings: "Settings", runtime_folder: Path, report: Callable[[str], None]
) -> AsyncGenerator[Picture]:
    """Start the session that the settings ask for, if any, choose the backend, and say why that one.

    ConfigError or EnvironmentProblem, with a hint, if that cannot be.
    """
    if settings.session == "off":
        backend, reason = await chosen_backend(settings, runtime_folder)
        report(f"display: {backend.name} ({reason})")
        yield Picture(backend)
        return
    check_agreement(settings)
    options = display_options(settings)
    folder = settings.state / LOG_FOLDER
    async with own_session(settings.session, runtime_folder, folder, report=report) as session:
        made = make_backend(session.kind.backend, Journal(runtime_folder), options, session.environment)
        inside = InSession(session, LimitedBackend(made, options.limit))
        found = await inside.settle()
        report(f"display: {inside.name} ({found.reason})")
        yield Picture(inside, session)


def check_agreement(settings: "Settings") -> None:
    """Refuse a ``display`` that asks for pictures from elsewhere than the session; ConfigError says so."""
    backend = find_kind(settings.session).backend
    if settings.display not in {"auto", "attach", settings.session, backend}:
        raise ConfigError(
            f'display = "{settings.display}" and session = "{settings.session}" contradict each other: '
            "a session of its own brings its display",
            hint='Leave display at "auto", or set session = "off".',
        )
