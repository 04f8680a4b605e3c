"""TLS that asks every client for a certificate, accepts any, and tells the caller which one it was.

The standard ``ssl`` module cannot do this: it answers an unknown certificate with an alert, and clients then
take the host for offline instead of unpaired. pyOpenSSL over memory BIOs can. Who is trusted is decided
later, by fingerprint (``control/trust``). Spec: gamestream.md section 2.2.
"""

from typing import Final

import trio
from OpenSSL import SSL, crypto

from punktfunk.control.identity import Identity

HANDSHAKE_S: Final = 10.0
SEND_S: Final = 5.0
READ_BYTES: Final = 16 << 10
_NO_RENEGOTIATION: Final = 1 << 30  # SSL_OP_NO_RENEGOTIATION of openssl/ssl.h; pyOpenSSL has no name for it


def build_server_context(identity: Identity) -> SSL.Context:
    """TLS 1.2 and 1.3 with the host's one certificate: no tickets, no resumption, HTTP/1.1 only."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(identity.certificate)
    context.use_privatekey(identity.private_key)
    context.set_verify(SSL.VERIFY_PEER, _accept_any)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | _NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"punktfunk")
    context.set_alpn_select_callback(_choose_protocol)
    return context


def _accept_any(*_verification: object) -> bool:
    return True


def _choose_protocol(_connection: SSL.Connection, offered: list[bytes]) -> bytes | object:
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


class TlsStream(trio.abc.Stream):
    """The server's end of one TLS connection over ``transport``. Call ``do_handshake`` once, first."""

    def __init__(self, transport: trio.SocketStream, context: SSL.Context) -> None:
        self.transport = transport
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._sending = trio.StrictFIFOLock()

    async def do_handshake(self) -> None:
        """Shake hands within HANDSHAKE_S; BrokenResourceError for a peer that cannot or will not."""
        try:
            with trio.fail_after(HANDSHAKE_S):
                await self._shake()
        except trio.TooSlowError:
            raise trio.BrokenResourceError(f"no TLS handshake within {HANDSHAKE_S:.0f} s") from None

    def peer_certificate_der(self) -> bytes | None:
        """Return the certificate that the client presented. It is not parsed: X.509 v1 and odd ones pass."""
        certificate = self._tls.get_peer_certificate()
        return None if certificate is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return decrypted bytes, or nothing once the client has closed."""
        while True:
            try:
                data: bytes = self._tls.recv(max_bytes or READ_BYTES)
            except SSL.WantReadError:
                await self._flush()
                if not await self._fill():
                    return b""
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                raise trio.BrokenResourceError(f"TLS: {error}") from error
            else:
                await trio.lowlevel.checkpoint()
                return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send everything."""
        view = memoryview(data)
        while view:
            try:
                count = self._tls.send(bytes(view[:READ_BYTES]))
            except SSL.Error as error:
                raise trio.BrokenResourceError(f"TLS: {error}") from error
            view = view[count:]
            await self._flush()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the transport takes more."""
        await self.transport.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Say goodbye without waiting for an answer, then close the transport."""
        try:
            self._tls.shutdown()
            await self._flush()
        except (SSL.Error, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # they are gone already
        finally:
            await trio.aclose_forcefully(self.transport)

    async def _shake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                await self._flush()
                if not await self._fill():
                    raise trio.BrokenResourceError("the client left during the TLS handshake") from None
            except SSL.Error as error:
                await self._flush()  # our alert
                raise trio.BrokenResourceError(f"TLS handshake: {error}") from error
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        async with self._sending:  # records must leave in the order in which they were sealed
            while True:
                try:
                    sealed = self._tls.bio_read(1 << 16)
                except SSL.WantReadError:
                    return
                # Shielded: the peer cannot make sense of half a record. Bounded, as peers may not read.
                with trio.CancelScope(deadline=trio.current_time() + SEND_S, shield=True) as sending:
                    await self.transport.send_all(sealed)
                if sending.cancelled_caught:
                    raise trio.BrokenResourceError(f"the client did not read for {SEND_S:.0f} s")

    async def _fill(self) -> bool:
        data = await self.transport.receive_some(READ_BYTES)
        if data:
            self._tls.bio_write(data)
        return bool(data)
