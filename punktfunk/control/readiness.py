"""What a starting host still waits for, so that clients and people can be told."""

import trio


class Readiness:
    """``ready`` is set once streams can begin; until then ``waiting_for`` says why not, for people."""

    def __init__(self) -> None:
        self.ready = trio.Event()
        self.waiting_for = "it looks for encoders"
