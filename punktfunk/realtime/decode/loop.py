"""The body of pf-decode: pop, judge, decode, judge, hand over.

Every unit is decoded, also while the picture is frozen and also when newer ones wait: later ones refer to
it. Which picture is shown is decided afterwards.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from punktfunk.plan import DecodePlan
from punktfunk.realtime.decode.base import DecodedPicture, Judge, Unit, UnitSource
from punktfunk.realtime.decode.lavc import LavcDecoder

POP_NS: Final = 100_000_000
"""How long one pop waits: the thread notices within this time that it is to end."""

PENDING_MAX: Final = 16
"""Units whose pictures are still with the decoder; more than any decoder without frame threads holds."""


class DecodeLoop:
    """One thread runs it. ``show`` gets pictures that may be shown, in order; it must not wait."""

    def __init__(
        self,
        source: UnitSource,
        decoder: LavcDecoder,
        judge: Judge,
        show: Callable[[DecodedPicture], None],
        ended: threading.Event,
    ) -> None:
        self._source = source
        self._decoder = decoder
        self._judge = judge
        self._show = show
        self._ended = ended
        self._pending: dict[int, Unit] = {}
        self._tag = 0
        self.counters = {"units": 0, "stale_units": 0, "decoded_pictures": 0, "empty_units": 0, "held": 0}

    def run(self) -> None:
        """Decode until told to end."""
        while not self._ended.is_set():
            unit = self._source.pop(POP_NS)
            if unit is not None:
                self.decode(unit)

    def decode(self, unit: Unit) -> None:
        """Take one unit through all steps."""
        self.counters["units"] += 1
        if not self._judge.arrived(unit):
            self.counters["stale_units"] += 1
            return
        began_ns = time.monotonic_ns()
        self._tag += 1
        self._remember(unit)
        results = self._decoder.decode(unit.access_unit, self._tag)
        done_ns = time.monotonic_ns()
        if not results:
            self.counters["empty_units"] += 1
            self._judge.decoded(unit, produced=False)
        for result in results:
            self.counters["decoded_pictures"] += 1
            origin = self._pending.pop(result.tag, unit)
            is_key = bool(result.frame.key_frame)
            if self._judge.decoded(origin, produced=True, is_key=is_key):
                self._show(DecodedPicture(result.frame, origin, began_ns, done_ns, is_key))
            else:
                self.counters["held"] += 1

    def _remember(self, unit: Unit) -> None:
        self._pending[self._tag] = unit
        if len(self._pending) > PENDING_MAX:
            del self._pending[next(iter(self._pending))]


class VideoDecoder:
    """The decode thread of one session. ``on_failure`` is called once, by the thread, if it dies."""

    def __init__(
        self,
        decoder: LavcDecoder,
        source: UnitSource,
        judge: Judge,
        show: Callable[[DecodedPicture], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._decoder = decoder
        self._ended = threading.Event()
        self._on_failure = on_failure
        self._loop = DecodeLoop(source, decoder, judge, show, self._ended)
        self._thread = threading.Thread(target=self._run, name="pf-decode", daemon=True)

    @property
    def name(self) -> str:
        """What decodes, for people."""
        return self._decoder.name

    @property
    def notes(self) -> list[str]:
        """Ways to decode that failed, and why; grows when one fails meanwhile."""
        return list(self._decoder.notes)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, join_ns: int) -> bool:
        """End the thread within ``join_ns`` and free the decoder; False if it hangs in the library."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(join_ns / 1e9)
        if self._thread.is_alive():
            return False
        self._decoder.close()
        return True

    def counters(self) -> dict[str, int]:
        """Tell the counts of the thread; each exact, together not one moment."""
        return dict(self._loop.counters)

    def _run(self) -> None:
        try:
            self._loop.run()
        except Exception as error:  # noqa: BLE001  (whatever it is, the owner is to hear of it)
            self._on_failure(error)


def open_video_decoder(
    plan: DecodePlan,
    source: UnitSource,
    judge: Judge,
    show: Callable[[DecodedPicture], None],
    on_failure: Callable[[BaseException], None],
) -> VideoDecoder:
    """Open the decoder (EnvironmentProblem if nothing decodes the codec) and make its thread."""
    return VideoDecoder(LavcDecoder(plan), source, judge, show, on_failure)
