"""Every exception punktfunk raises on purpose.

PunktfunkError
├── ConfigError            the user must edit something
│   └── Misuse               the command line itself: exit code 2
├── EnvironmentProblem     the machine lacks something (driver, permission, portal)
├── ProtocolError
│   ├── LocalProtocolError   we broke the rules: a bug in this host
│   └── RemoteProtocolError  the peer broke them: drop it, keep serving
├── ErasureCodeError       shards that the code cannot work with
│   ├── UnsupportedShape     counts or sizes outside the code
│   └── TooFewShards         more shards are missing than parity can replace; nothing was written
└── PipelineFailed         a realtime thread died; carries its name and cause
"""


class PunktfunkError(Exception):
    """Base of the tree. ``hint`` says what the reader can do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(PunktfunkError):
    """A setting or a stored value is missing, misspelt or out of range."""


class Misuse(ConfigError):
    """A flag of the command line has a value that it may not have."""


class EnvironmentProblem(PunktfunkError):
    """The machine cannot do what was asked."""


class ProtocolError(PunktfunkError):
    """Bytes or messages outside the protocol."""


class LocalProtocolError(ProtocolError):
    """This host tried to send something illegal."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something illegal."""


class ErasureCodeError(PunktfunkError):
    """Shards that an erasure code cannot work with."""


class UnsupportedShape(ErasureCodeError):
    """So many shards, or shards of this size, the code does not have."""


class TooFewShards(ErasureCodeError):
    """More shards are missing than parity can replace; nothing was written."""


class PipelineFailed(PunktfunkError):
    """A realtime thread stopped by itself."""
