"""The key of a session's media, checked before anything is made for it."""

from typing import Final

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import MediaCipher, ReceivePlan

KEY_BYTES: Final = {MediaCipher.AES_128_GCM: 16, MediaCipher.CHACHA20_POLY1305: 32}


def checked_key(plan: ReceivePlan) -> bytes | None:
    """Return the key; None for a session in clear. LocalProtocolError if it is none of the cipher's."""
    key = plan.decryption_key
    if key is not None and len(key) != KEY_BYTES[plan.cipher]:
        raise LocalProtocolError(f"{plan.cipher.value} has no key of {len(key)} bytes")
    return key
