"""SPAKE2 over Ed25519 as the Rust implementation has it: client side A, host side B.

The password is the PIN's digits as ASCII; the identities are both certificates' fingerprints as each side
saw them, 32 raw bytes, so a session that is relayed ends with two different keys. Elements are 33 bytes, the
first of which names the side. A wrong PIN is no error here: the keys simply differ. Spec: punktfunk-1
section 2.4.

The package is pure Python and holds the GIL for about 20 ms a call: never call it on the Trio thread.
"""

from punktfunk.errors import RemoteProtocolError

ELEMENT_BYTES = 33


def answer(
    pin: str, element: bytes, client_fingerprint: bytes, host_fingerprint: bytes
) -> tuple[bytes, bytes]:
    """Host: give our element (33 bytes) and the shared key (32); RemoteProtocolError for a bad one."""
    from spake2 import SPAKE2_B

    side = SPAKE2_B(pin.encode(), client_fingerprint, host_fingerprint)
    ours: bytes = side.start()
    return ours, _finish(side, element)


class Client:
    """The client's half: ``element`` goes out, ``finish`` takes what the host answers."""

    def __init__(self, pin: str, client_fingerprint: bytes, host_fingerprint: bytes) -> None:
        from spake2 import SPAKE2_A

        self._side = SPAKE2_A(pin.encode(), client_fingerprint, host_fingerprint)
        self.element: bytes = self._side.start()

    def finish(self, element: bytes) -> bytes:
        """Give the shared key (32 bytes). RemoteProtocolError if ``element`` is none of a host."""
        return _finish(self._side, element)


def _finish(side: object, element: bytes) -> bytes:
    if len(element) != ELEMENT_BYTES:
        raise RemoteProtocolError(f"a SPAKE2 element has {ELEMENT_BYTES} bytes, not {len(element)}")
    try:
        key: bytes = side.finish(element)  # type: ignore[attr-defined]
    except Exception as error:
        # The package has no common class for what is wrong with an element: asserts, ValueError and its own.
        raise RemoteProtocolError(f"this is no SPAKE2 element: {error or type(error).__name__}") from error
    return key
