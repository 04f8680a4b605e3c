"""The host's front door of punktfunk/1, put together: who it is, who may come in, and the owner's verbs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from punktfunk.control.native.admission import FrontDesk
from punktfunk.control.native.approval import ApprovalDesk, Pending
from punktfunk.control.native.arming import ArmingDesk
from punktfunk.control.native.identity import NativeIdentity, load_host_identity
from punktfunk.control.native.pairing import NativePairing
from punktfunk.control.native.verbs import NativeVerbs, Verb
from punktfunk.control.trust import ClientBook


@dataclass(frozen=True, slots=True)
class NativeDoor:
    """What the service and the admin socket need of it."""

    identity: NativeIdentity
    front: FrontDesk
    verbs: dict[str, Verb]


def open_door(
    folder: Path, book: ClientBook, *, open_host: bool, report: Callable[[str], None]
) -> NativeDoor:
    """Put the door together; blocks, as it may make the host's key. ``report`` gets lines for people."""
    identity = load_host_identity(folder)
    if open_host:
        report("open: every punktfunk/1 client comes in with all rights, paired or not (native_open = true)")
    arming = ArmingDesk()

    def note(entry: Pending) -> None:
        report(
            f"waiting: {entry.name} at {entry.address} ({entry.fingerprint[:8]}) asks to come in; "
            f"`punktfunk clients approve {entry.number}` lets it, `deny {entry.number}` does not"
        )

    approval = ApprovalDesk(book, notify=note)
    pairing = NativePairing(book, arming, identity.fingerprint, report=report)
    front = FrontDesk(book, pairing, approval, open_host=open_host)
    return NativeDoor(identity, front, NativeVerbs(book, arming, approval).verbs())
