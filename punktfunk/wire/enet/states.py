"""The states of a connection, as a table.

From both ends of the handshake; the machine itself does not know whether it is server or client.

    CONNECTING      we sent CONNECT                    DISCONNECTING  we sent DISCONNECT
    HALF_OPEN       we sent VERIFY, no answer yet      LINGERING      they sent DISCONNECT; we go on
    CONNECTED       messages flow                                     acknowledging it for a while
    CLOSING         we will, when all is delivered     GONE           nothing is left
"""

from enum import Enum, auto

from punktfunk.wire.enet.events import Reason


class State(Enum):
    """See the module."""

    CONNECTING = auto()
    HALF_OPEN = auto()
    CONNECTED = auto()
    CLOSING = auto()
    DISCONNECTING = auto()
    LINGERING = auto()
    GONE = auto()


class Happening(Enum):
    """What moves a connection from state to state."""

    VERIFIED = auto()  # their VERIFY answers our CONNECT
    CONFIRMED = auto()  # their acknowledgement answers our VERIFY
    CLOSE_WANTED = auto()  # our owner has had enough
    FLUSHED = auto()  # all that was queued is acknowledged
    DISCONNECT_SEEN = auto()
    DISCONNECT_CONFIRMED = auto()  # their acknowledgement answers our DISCONNECT
    EXPIRED = auto()  # the time that the state may last is over


TRANSITIONS = {
    (State.CONNECTING, Happening.VERIFIED): State.CONNECTED,
    (State.CONNECTING, Happening.CLOSE_WANTED): State.GONE,
    (State.CONNECTING, Happening.DISCONNECT_SEEN): State.GONE,
    (State.CONNECTING, Happening.EXPIRED): State.GONE,
    (State.HALF_OPEN, Happening.CONFIRMED): State.CONNECTED,
    (State.HALF_OPEN, Happening.DISCONNECT_SEEN): State.GONE,
    (State.HALF_OPEN, Happening.EXPIRED): State.GONE,
    (State.CONNECTED, Happening.CLOSE_WANTED): State.CLOSING,
    (State.CONNECTED, Happening.DISCONNECT_SEEN): State.LINGERING,
    (State.CONNECTED, Happening.EXPIRED): State.GONE,
    (State.CLOSING, Happening.FLUSHED): State.DISCONNECTING,
    (State.CLOSING, Happening.DISCONNECT_SEEN): State.LINGERING,
    (State.CLOSING, Happening.EXPIRED): State.GONE,
    (State.DISCONNECTING, Happening.DISCONNECT_CONFIRMED): State.GONE,
    (State.DISCONNECTING, Happening.DISCONNECT_SEEN): State.LINGERING,
    (State.DISCONNECTING, Happening.EXPIRED): State.GONE,
    (State.LINGERING, Happening.EXPIRED): State.GONE,
}

# A transition that ends a connection the owner knows of gives one Disconnected. The rest is silent: half-open
# peers were never announced, and whoever closed a connection that was not yet up needs no news of it.
ENDINGS = {
    (State.CONNECTING, Happening.DISCONNECT_SEEN): Reason.REFUSED,
    (State.CONNECTING, Happening.EXPIRED): Reason.TIMEOUT,
    (State.CONNECTED, Happening.DISCONNECT_SEEN): Reason.REMOTE,
    (State.CONNECTED, Happening.EXPIRED): Reason.TIMEOUT,
    (State.CLOSING, Happening.DISCONNECT_SEEN): Reason.REMOTE,
    (State.CLOSING, Happening.EXPIRED): Reason.TIMEOUT,
    (State.DISCONNECTING, Happening.DISCONNECT_CONFIRMED): Reason.LOCAL,
    (State.DISCONNECTING, Happening.DISCONNECT_SEEN): Reason.LOCAL,
    (State.DISCONNECTING, Happening.EXPIRED): Reason.TIMEOUT,
}
TALKING = (State.CONNECTED, State.CLOSING)
