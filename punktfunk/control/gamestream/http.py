"""GameStream's verbs over HTTP and HTTPS: serverinfo, pair, applist, appasset, launch, resume, cancel.

This app knows who may ask what and how an answer is put; what a launch does is the host's business
(``HostView``). Errors travel in the XML with HTTP status 200, as clients lose the body of anything else. An
unpaired client gets XML status 401 for every HTTPS path and then asks again over HTTP. Spec: gamestream.md
sections 2.1 to 2.6.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from punktfunk.control.complaints import Complaints
from punktfunk.control.gamestream.http_server import Link
from punktfunk.control.gamestream.pairing_desk import PairingBusy, PairingDesk, TooManyAttempts
from punktfunk.control.trust import ClientBook, PairedClient
from punktfunk.errors import PunktfunkError, RemoteProtocolError
from punktfunk.wire.gamestream.applist import AppEntry, build_applist
from punktfunk.wire.gamestream.launch import LaunchRequest, parse_launch
from punktfunk.wire.gamestream.serverinfo import ServerInfo, build_error, build_reply, build_serverinfo

logger = logging.getLogger(__name__)

NOT_PAIRED = "The client is not paired with this host."
PLAIN_PATHS = frozenset({"/serverinfo", "/pair", "/unpair"})


class Refusal(PunktfunkError):
    """The host will not do it; ``status_code`` and the message reach the client's screen."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


class HostView(Protocol):
    """What this app asks of the host. Methods may raise Refusal, or any PunktfunkError (sent as status 500).

    Calls are cancelled when the client hangs up meanwhile. Addresses are numeric, without zone.
    """

    def server_info(self, local_address: str, *, client: PairedClient | None) -> ServerInfo:
        """Describe the host to one client; the real MAC address only to a paired one."""

    def apps(self) -> Sequence[AppEntry]:
        """List the apps."""

    async def box_art(self, app_id: int) -> bytes:
        """Return an app's picture as PNG, or the placeholder."""

    async def launch(
        self, client: PairedClient, request: LaunchRequest, local_address: str, remote_address: str
    ) -> str:
        """Start a session with its app and return the RTSP URL."""

    async def resume(
        self, client: PairedClient, request: LaunchRequest, local_address: str, remote_address: str
    ) -> str:
        """Continue the running app in a new session and return the RTSP URL."""

    async def cancel(self, client: PairedClient) -> None:
        """End the session and its app, if there is one."""


def make_app(host: HostView, desk: PairingDesk, book: ClientBook) -> QuartTrio:
    """Build the app that ``http_server.serve_http`` serves."""
    app = QuartTrio(__name__, static_folder=None)
    app.config["RESPONSE_TIMEOUT"] = None  # the guard bounds every send
    _add_gate(app, book)
    _add_pairing(app, desk)
    _add_lists(app, host, book)
    _add_sessions(app, host, book)
    _add_failures(app)
    return app


def _link() -> Link:
    link: Link = request.scope["state"]["link"]
    return link


def _client(book: ClientBook) -> PairedClient | None:
    """Find the paired client behind this connection: by certificate, so over HTTPS only."""
    return book.find(_link().certificate_der)


def _paired_client(book: ClientBook) -> PairedClient:
    client = _client(book)
    if client is None:  # removed between the gate and here
        raise Refusal(401, NOT_PAIRED)
    return client


def _query() -> Mapping[str, str]:
    return request.args.to_dict()


def _xml(document: bytes) -> Response:
    return Response(document, content_type="application/xml")


def _add_gate(app: QuartTrio, book: ClientBook) -> None:
    @app.before_request
    async def check() -> Response | None:
        if not _link().secure:
            if request.path in PLAIN_PATHS:
                return None
            return _xml(build_error(404, "Not found over plain HTTP."))
        client = _client(book)
        if client is None:
            return _xml(build_error(401, NOT_PAIRED))
        await book.note_seen(client)
        return None


def _add_pairing(app: QuartTrio, desk: PairingDesk) -> None:
    complaints = Complaints(logger)

    @app.get("/pair")
    async def pair() -> Response:
        link, query = _link(), _query()
        if link.secure:
            # The gate has seen a paired certificate: that is all that step 5 asks.
            if query.get("phrase") == "pairchallenge":
                return _xml(build_reply(paired=1))
            return _xml(build_error(400, "Pair over HTTP.", paired=0))
        try:
            return _xml(build_reply(**await desk.answer(query, link.remote_address)))
        except PairingBusy as busy:
            complaints.note("pairing-busy", peer=link.remote_address, reason=busy)
            return _xml(build_reply(paired=1))  # without a certificate: "another pairing is running"
        except TooManyAttempts as error:
            complaints.note("pairing-too-often", peer=link.remote_address, reason=error)
            return _xml(build_error(429, "Too many attempts to pair. Try again in five minutes.", paired=0))
        except RemoteProtocolError as error:
            complaints.note("pairing-nonsense", peer=link.remote_address, reason=error)
            return _xml(build_error(400, "The pairing was ended. Start it again.", paired=0))

    @app.get("/unpair")
    async def unpair() -> Response:
        desk.abandon(request.args.get("uniqueid", ""), _link().remote_address)
        await trio.lowlevel.checkpoint()
        return _xml(build_reply())


def _add_lists(app: QuartTrio, host: HostView, book: ClientBook) -> None:
    @app.get("/serverinfo")
    async def serverinfo() -> Response:
        await trio.lowlevel.checkpoint()
        return _xml(build_serverinfo(host.server_info(_link().local_address, client=_client(book))))

    @app.get("/applist")
    async def applist() -> Response:
        await trio.lowlevel.checkpoint()
        return _xml(build_applist(host.apps()))

    @app.get("/appasset")
    async def appasset() -> Response:
        text = request.args.get("appid", "")[:16]
        app_id = int(text) if text.isascii() and text.isdigit() else 0
        return Response(await host.box_art(app_id), content_type="image/png")


def _add_sessions(app: QuartTrio, host: HostView, book: ClientBook) -> None:
    @app.get("/launch")
    async def launch() -> Response:
        link, client = _link(), _paired_client(book)
        wanted = parse_launch(_query())
        url = await host.launch(client, wanted, link.local_address, link.remote_address)
        return _xml(build_reply(sessionUrl0=url, gamesession=1))

    @app.get("/resume")
    async def resume() -> Response:
        link, client = _link(), _paired_client(book)
        wanted = parse_launch(_query())
        url = await host.resume(client, wanted, link.local_address, link.remote_address)
        return _xml(build_reply(sessionUrl0=url, resume=1))

    @app.get("/cancel")
    async def cancel() -> Response:
        await host.cancel(_paired_client(book))
        return _xml(build_reply(cancel=1))


def _add_failures(app: QuartTrio) -> None:
    @app.errorhandler(Refusal)
    async def refused(error: Refusal) -> Response:
        logger.info("request refused path=%.64r status=%d reason=%s", request.path, error.status_code, error)
        return _failure(error.status_code, str(error))

    @app.errorhandler(RemoteProtocolError)
    async def bad_request(error: RemoteProtocolError) -> Response:
        logger.warning("bad request path=%.64r reason=%s", request.path, error)
        return _failure(400, str(error))

    @app.errorhandler(PunktfunkError)
    async def impossible(error: PunktfunkError) -> Response:
        logger.error("request failed path=%.64r reason=%s hint=%s", request.path, error, error.hint)
        return _failure(500, str(error))

    @app.errorhandler(HTTPException)
    async def unknown(error: HTTPException) -> Response:
        return _failure(error.code or 400, error.name)

    @app.errorhandler(Exception)
    async def bug(error: Exception) -> Response:
        logger.error("request broke path=%.64r", request.path, exc_info=error)
        return _failure(500, "The host made a mistake; its log says more.")


def _failure(status_code: int, message: str) -> Response:
    """Refuse with the element that the verb's client looks for."""
    zero = {"/launch": "gamesession", "/resume": "resume", "/cancel": "cancel", "/pair": "paired"}
    element = zero.get(request.path)
    return _xml(build_error(status_code, message, **({element: 0} if element else {})))
