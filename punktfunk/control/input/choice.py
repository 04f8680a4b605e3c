"""Which way input takes into a desktop: EIS, the compositor's own protocol, or devices of the kernel.

    setting      tries, in order
    -----------  -----------------------------------------------------------
    auto         what the display's backend opens, wlr's protocols, uinput
    eis          what the backend opens, if that is EIS
    compositor   what the backend opens, or wlr's protocols
    uinput       devices of the kernel alone

The first that opens is used for the whole session; what did not open, and why, is told.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input.base import CountingInjector, Injector
from punktfunk.control.problems import first_leaf, worded
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import PreparedSource, TestcardSource, WaylandSource

AUTO, EIS, COMPOSITOR, UINPUT = "auto", "eis", "compositor", "uinput"
SETTINGS: Final = (AUTO, EIS, COMPOSITOR, UINPUT)


@dataclass(frozen=True, slots=True)
class Way:
    """One way: its name for people, and what opens it."""

    kind: str
    title: str
    open: Callable[[], AbstractAsyncContextManager[Injector]]


def ways(output: VirtualOutput, setting: str) -> list[Way]:
    """List what a setting allows for an output, best first."""
    return [way for way in _all_ways(output) if setting in (AUTO, way.kind)]


def _all_ways(output: VirtualOutput) -> Iterator[Way]:
    # Late: injectors import this package for their types.
    if output.open_input is not None:
        title = "EIS" if output.input_kind == EIS else f"the protocols of {output.backend}"
        yield Way(output.input_kind, title, output.open_input)
    elif isinstance(output.source, WaylandSource):
        from punktfunk.control.input.wlr import open_wlr_injector

        yield Way(COMPOSITOR, "wlr's virtual pointer and keyboard", lambda: open_wlr_injector(output))
    from punktfunk.control.input.uinput.injector import open_uinput_injector

    yield Way(UINPUT, "devices of the kernel (uinput)", lambda: open_uinput_injector(output))


@asynccontextmanager
async def open_desk_input(
    output: VirtualOutput, setting: str, report: Callable[[str], None]
) -> AsyncGenerator[Injector]:
    """Open keyboard and pointer on the output; at the end everything held is released.

    If no way opens, the screen is shown without: what keeps each way shut is told, and events are counted.
    Raises EnvironmentProblem where the setting names a way and that one does not open.
    """
    if isinstance(output.source, TestcardSource | PreparedSource) and output.open_input is None:
        yield CountingInjector()
        return
    refusals: list[str] = []
    async with AsyncExitStack() as stack:
        injector = await _open_first(stack, ways(output, setting), refusals, report)
        if injector is None and setting == AUTO:
            for refusal in refusals:
                report(f"input: {refusal}")
            report(f"input: none into {output.name}; the screen is shown, but takes no keys and no mouse")
            injector = CountingInjector()
        if injector is None:
            reason = "; ".join(refusals) or f"{output.backend} has no {setting}"
            raise EnvironmentProblem(f"no input into {output.name}: {reason}", hint='Set input = "auto".')
        yield injector


async def _open_first(
    stack: AsyncExitStack, candidates: list[Way], refusals: list[str], report: Callable[[str], None]
) -> Injector | None:
    for way in candidates:
        try:
            injector = await stack.enter_async_context(way.open())
        except* EnvironmentProblem as problems:
            refusals.append(f"{way.title}: {worded(first_leaf(problems))}")
        else:
            for refusal in refusals:
                report(f"input: {refusal}")
            report(f"input: by {way.title}")
            return injector
    return None
