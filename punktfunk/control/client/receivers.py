"""Which receiver a session gets: the kernel's on Linux, elsewhere the portable one. Both are used alike."""

import os
import sys
from typing import TYPE_CHECKING, Final

from punktfunk.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from punktfunk.realtime import PortableReceiver, VideoReceiver

    Receiver = VideoReceiver | PortableReceiver

WISHES: Final = ("auto", "kernel", "portable")


def receiver_class(wish: str) -> "Callable[..., Receiver]":
    """Load the receiver of one of ``WISHES``, and with it its kernels, which must be warm.

    EnvironmentProblem for the kernel where there is no Linux.
    """
    from punktfunk import realtime

    has_kernel = sys.platform == "linux" and hasattr(os, "eventfd")
    if wish == "portable" or (wish == "auto" and not has_kernel):
        return realtime.PortableReceiver
    if not has_kernel:
        raise EnvironmentProblem(
            f"the receiving kernel makes Linux's system calls, and this is {sys.platform}",
            hint="Use --receiver portable.",
        )
    return realtime.VideoReceiver
