"""What one channel does with what arrives: order, duplicates, fragments. Sending is in `outbox`.

Sequence numbers are 16 bits and wrap; distances between them are signed. A reliable command that cannot be
kept now is not acknowledged, so the peer sends it again: that is how memory stays bounded without losing
anything. The message that is due next is always taken, so a full store can never stop a channel.
Behaviour as in cgutman/enet, ``peer.c``, ``enet_peer_queue_incoming_command``.
"""

from punktfunk.wire.enet.commands import SendFragment
from punktfunk.wire.enet.events import Delivery

REORDER_LIMIT = 4096  # a peer may be this many reliable commands ahead of the next one due
_PIECE_OVERHEAD_BYTES = 128  # what Python spends on a kept piece, so that empty ones are not free
_UNSEQUENCED_WINDOW = 1024

Message = tuple[bytes, Delivery]


def sequence_distance(later: int, earlier: int) -> int:
    """Count the steps from ``earlier`` to ``later``, -32768..32767; negative if ``later`` is older."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


class Store:
    """Counts the bytes that all channels of a peer keep back. Single pieces may be forced past the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def take(self, payload_bytes: int, *, forced: bool = False) -> bool:
        """Reserve room for one piece."""
        cost_bytes = payload_bytes + _PIECE_OVERHEAD_BYTES
        if not forced and self.used_bytes + cost_bytes > self.limit_bytes:
            return False
        self.used_bytes += cost_bytes
        return True

    def give_back(self, payload_bytes: int, piece_count: int) -> None:
        """Return the room of pieces that were taken."""
        self.used_bytes -= payload_bytes + piece_count * _PIECE_OVERHEAD_BYTES


class _Assembly:
    """A message on its way to being whole: one piece or many."""

    __slots__ = ("count", "kept_bytes", "pieces", "total_bytes")

    def __init__(self, count: int, total_bytes: int) -> None:
        self.count = count
        self.total_bytes = total_bytes
        self.kept_bytes = 0
        self.pieces: dict[int, tuple[int, bytes]] = {}

    @property
    def complete(self) -> bool:
        return len(self.pieces) == self.count

    def join(self) -> bytes | None:
        """Give the message, or None if the pieces overlap or leave holes."""
        parts = []
        end_bytes = 0
        for number in range(self.count):
            offset_bytes, data = self.pieces[number]
            if offset_bytes != end_bytes:
                return None
            parts.append(data)
            end_bytes += len(data)
        return b"".join(parts) if end_bytes == self.total_bytes else None


class InboundChannel:
    """Order of one channel. Each method returns what may be delivered now; reliable ones None to refuse."""

    def __init__(self, store: Store) -> None:
        self.reliable_sequence = 0  # of the last reliable command delivered
        self._unreliable_sequence = 0  # of the last unreliable message delivered since then
        self._store = store
        self._reliable: dict[int, _Assembly] = {}  # by first sequence
        self._unreliable: dict[tuple[int, int], _Assembly] = {}  # by reliable and unreliable sequence

    def reliable(self, sequence: int, data: bytes) -> list[Message] | None:
        """Take a whole reliable message; None: do not acknowledge it, it must come again."""
        return self._take_reliable(sequence, 0, data, _Assembly(1, len(data)), offset_bytes=0)

    def fragment(self, sequence: int, piece: SendFragment) -> list[Message] | None:
        """Take a piece of a reliable message; None: do not acknowledge it, it must come again."""
        if sequence != (piece.start_sequence + piece.fragment_number) & 0xFFFF:
            return None
        whole = _Assembly(piece.fragment_count, piece.total_bytes)
        start, number = piece.start_sequence, piece.fragment_number
        return self._take_reliable(start, number, piece.data, whole, offset_bytes=piece.offset_bytes)

    def _take_reliable(
        self, start: int, number: int, data: bytes, fresh: _Assembly, *, offset_bytes: int
    ) -> list[Message] | None:
        ahead = sequence_distance(start, self.reliable_sequence)
        if ahead <= 0:
            return []  # a duplicate: its acknowledgement was lost
        if ahead > REORDER_LIMIT:
            return None
        assembly = self._reliable.get(start, fresh)
        if (assembly.count, assembly.total_bytes) != (fresh.count, fresh.total_bytes):
            return None
        if number not in assembly.pieces:
            if not self._store.take(len(data), forced=ahead == 1):
                return None
            self._reliable[start] = assembly
            assembly.pieces[number] = (offset_bytes, data)
            assembly.kept_bytes += len(data)
        return self._release_reliable() if ahead == 1 and assembly.complete else []

    def _release_reliable(self) -> list[Message]:
        messages: list[Message] = []
        jumped = False
        while True:
            due = (self.reliable_sequence + 1) & 0xFFFF
            assembly = self._reliable.get(due)
            if assembly is None or not assembly.complete:
                break
            self._forget(self._reliable.pop(due))
            self.reliable_sequence = (due + assembly.count - 1) & 0xFFFF
            jumped = jumped or assembly.count > 1
            whole = assembly.join()
            if whole is not None:
                messages.append((whole, Delivery.RELIABLE))
        if jumped:  # a message that began inside a fragmented one was never honest
            for start in [s for s in self._reliable if sequence_distance(s, self.reliable_sequence) <= 0]:
                self._forget(self._reliable.pop(start))
        self._unreliable_sequence = 0
        return messages + self._release_unreliable()

    def unreliable(self, reliable_sequence: int, unreliable_sequence: int, data: bytes) -> list[Message]:
        """Take a whole unreliable message that was sent after ``reliable_sequence``."""
        if reliable_sequence == self.reliable_sequence:
            if unreliable_sequence <= self._unreliable_sequence:
                return []
            self._unreliable_sequence = unreliable_sequence
            if self._unreliable:
                self._drop_overtaken()
            return [(data, Delivery.UNRELIABLE)]
        self._keep_unreliable((reliable_sequence, unreliable_sequence), 0, 0, data, _Assembly(1, len(data)))
        return []

    def unreliable_fragment(self, reliable_sequence: int, piece: SendFragment) -> list[Message]:
        """Take a piece of an unreliable message that was sent after ``reliable_sequence``."""
        key = (reliable_sequence, piece.start_sequence)
        fresh = _Assembly(piece.fragment_count, piece.total_bytes)
        self._keep_unreliable(key, piece.fragment_number, piece.offset_bytes, piece.data, fresh)
        return self._release_unreliable()

    def _keep_unreliable(
        self, key: tuple[int, int], number: int, offset_bytes: int, data: bytes, fresh: _Assembly
    ) -> None:
        ahead = sequence_distance(key[0], self.reliable_sequence)
        if not 0 <= ahead <= REORDER_LIMIT or (ahead == 0 and key[1] <= self._unreliable_sequence):
            return
        assembly = self._unreliable.get(key, fresh)
        if (assembly.count, assembly.total_bytes) != (fresh.count, fresh.total_bytes):
            return
        if number not in assembly.pieces and self._store.take(len(data)):
            self._unreliable[key] = assembly
            assembly.pieces[number] = (offset_bytes, data)
            assembly.kept_bytes += len(data)

    def _release_unreliable(self) -> list[Message]:
        messages: list[Message] = []
        whole_ones = [k for k, a in self._unreliable.items() if k[0] == self.reliable_sequence and a.complete]
        for key in sorted(whole_ones):
            whole = self._unreliable[key].join()
            if whole is not None and key[1] > self._unreliable_sequence:
                messages.append((whole, Delivery.UNRELIABLE))
            self._unreliable_sequence = max(key[1], self._unreliable_sequence)
        self._drop_overtaken()
        return messages

    def _drop_overtaken(self) -> None:
        now = self.reliable_sequence
        for key in list(self._unreliable):
            ahead = sequence_distance(key[0], now)
            if ahead < 0 or (ahead == 0 and key[1] <= self._unreliable_sequence):
                self._forget(self._unreliable.pop(key))

    def _forget(self, assembly: _Assembly) -> None:
        self._store.give_back(assembly.kept_bytes, len(assembly.pieces))


class UnsequencedWindow:
    """Weeds out duplicates among the last 1024 unsequenced messages; older ones count as duplicates."""

    def __init__(self) -> None:
        self._newest = 0
        self._seen = 1  # bit n: group newest - n was here; group 0 is never sent first

    def is_new(self, group: int) -> bool:
        """Note a group; False if it was here before or is too old to tell."""
        ahead = sequence_distance(group, self._newest)
        if ahead > 0:
            keep = (1 << _UNSEQUENCED_WINDOW) - 1
            self._seen = (self._seen << ahead) & keep if ahead < _UNSEQUENCED_WINDOW else 0
            self._newest = group
            ahead = 0
        bit = 1 << -ahead
        if -ahead >= _UNSEQUENCED_WINDOW or self._seen & bit:
            return False
        self._seen |= bit
        return True
