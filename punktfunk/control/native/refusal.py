"""A client that the host turns away: the protocol's close code, and a sentence that says what to do.

The sentence travels as the close's text, so it is written for whoever sits at the client (punktfunk-1
section 2.4, close codes).
"""

from punktfunk.errors import PunktfunkError
from punktfunk.wire.native.capabilities import CloseCode


class TurnedAway(PunktfunkError):
    """A client that is refused; ``code`` closes its connection with ``sentence`` as the text."""

    def __init__(self, code: CloseCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
