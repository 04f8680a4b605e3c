"""The ports of GameStream, opened: its three planes over UDP, and RTSP."""

import logging
import secrets
from collections.abc import Sequence
from functools import partial

import trio

from punktfunk.control.complaints import Complaints
from punktfunk.control.flight_log import FlightLog
from punktfunk.control.gamestream.control_stream import ControlPlane
from punktfunk.control.gamestream.media import MediaPlane
from punktfunk.control.gamestream.rtsp_server import serve_connection
from punktfunk.control.gamestream.sessions import Sessions
from punktfunk.control.gamestream.streaming import Planes
from punktfunk.control.input.session import InputMeans
from punktfunk.control.listeners import ConnectionGate, serve_gated
from punktfunk.control.sockets import BoundSocket
from punktfunk.control.sound.desk import SoundDesk
from punktfunk.wire.enet.events import HostConfig
from punktfunk.wire.enet.host import Host as EnetHost

logger = logging.getLogger(__name__)

RTSP_CONNECTIONS = 32
RTSP_CONNECTIONS_PER_ADDRESS = 8


async def open_planes(
    nursery: trio.Nursery,
    sockets: Sequence[Sequence[BoundSocket]],
    flights: FlightLog,
    sounds: SoundDesk | None = None,
    input_means: InputMeans | None = None,
) -> Planes:
    """Serve the planes on their sockets, those of video, control and audio."""
    video, control, audio = MediaPlane("video", sockets[0]), ControlPlane(), MediaPlane("audio", sockets[2])
    nursery.start_soon(video.run)
    nursery.start_soon(audio.run)
    for bound in sockets[1]:
        machine = EnetHost(HostConfig(), secrets.token_bytes, control.admits)
        await nursery.start(control.serve, machine, bound.socket)
    return Planes(video, audio, control, flights, input_means or InputMeans(), sounds)


def open_rtsp(nursery: trio.Nursery, sessions: Sessions, listeners: Sequence[trio.SocketListener]) -> None:
    """Serve RTSP for streams that were launched."""
    complaints = Complaints(logger)
    nursery.start_soon(
        partial(serve_gated, name="rtsp", complaints=complaints),
        listeners,
        partial(serve_connection, find=sessions.pending_for, complaints=complaints),
        ConnectionGate(total=RTSP_CONNECTIONS, per_address=RTSP_CONNECTIONS_PER_ADDRESS),
    )
