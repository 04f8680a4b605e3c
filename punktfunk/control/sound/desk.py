"""The sound of all sessions: each gets a sink that its programs play into, and perhaps a microphone.

    session -> sink of its own, the default -> programs play, packets leave -> default as before, sink gone

A sound server that is missing, goes or comes back ends no session: it is silent meanwhile, and people are
told once. ``both`` plays the same on the host's own device.
"""

import logging
import os
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import trio

from punktfunk.control.problems import worded
from punktfunk.control.sound.defaults import ChangeDefault, DefaultNode, changer
from punktfunk.control.sound.servers import pipewire_path, pulse_path
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import AudioSource, SoundNodePlan, SoundRole, SoundServerKind
from punktfunk.realtime import SoundNode

logger = logging.getLogger(__name__)

JOIN_NS: Final = 2_000_000_000
TAKE_TRIES: Final = 6
TAKE_EVERY_S: Final = 0.5
SoundMode = Literal["client", "both", "host"]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears or speaks. ``name`` is the client's; ``remote`` as ``VirtualOutput.pipewire_remote``."""

    name: str
    remote: str = ""


class SoundDesk:
    """What sessions share. ``mode``: who hears the sound; ``microphone``: whether clients have one here."""

    def __init__(
        self,
        journal: Journal,
        mode: SoundMode = "client",
        environment: Mapping[str, str] = os.environ,
        *,
        make_node: Callable[..., SoundNode] = SoundNode,
        find_changer: Callable[[SoundServerKind], ChangeDefault] = changer,
        microphone: bool = True,
    ) -> None:
        self.has_microphone = microphone
        self.journal = journal
        self.mode = mode
        self._environment = environment
        self._make_node = make_node
        self._find_changer = find_changer
        self._nodes: dict[str, SoundNode] = {}
        self._numbers = 0

    def status(self) -> list[dict[str, Any]]:
        """Describe every node in values that JSON knows."""
        return [
            {
                "node": name,
                "role": node.plan.role.value,
                "description": node.plan.description,
                **node.counters(),
            }
            for name, node in self._nodes.items()
        ]

    @asynccontextmanager
    async def sink(
        self, listener: Listener, channel_count: int, rate_hz: int, tell: Tell, *, also_here: bool = False
    ) -> AsyncGenerator[SoundNode]:
        """Own a sink for the length of the block, the default one as far as the server allows.

        ``also_here``: this client wants the sound to be heard on the host too. Raises nothing for what a
        sound server does.
        """
        plan = self.plan(SoundRole.SINK, listener, channel_count, rate_hz)
        both = also_here or self.mode == "both"
        async with self._running(plan, tell, partner=self._own_playback(plan) if both else None) as node:
            yield node

    @asynccontextmanager
    async def microphone(self, listener: Listener, rate_hz: int, tell: Tell) -> AsyncGenerator[SoundNode]:
        """Own a source that programs record from, the default one, for the length of the block."""
        plan = self.plan(SoundRole.MICROPHONE, listener, 1, rate_hz)
        async with self._running(plan, tell) as node:
            yield node

    def plan(self, role: SoundRole, listener: Listener, channel_count: int, rate_hz: int) -> SoundNodePlan:
        """Plan a node of this process for a client; no two are named alike."""
        self._numbers += 1
        word = "microphone of" if role is SoundRole.MICROPHONE else "stream to"
        return SoundNodePlan(
            role=role,
            name=f"punktfunk-{role.value}-{_slug(listener.name)}-{os.getpid()}-{self._numbers}",
            description=f"punktfunk: {word} {listener.name}",
            channel_count=channel_count,
            rate_hz=rate_hz,
            pipewire_path=pipewire_path(self._environment, listener.remote),
            pulse_path=pulse_path(self._environment, listener.remote),
        )

    @asynccontextmanager
    async def _running(
        self, plan: SoundNodePlan, tell: Tell, partner: "SoundNodePlan | None" = None
    ) -> AsyncGenerator[SoundNode]:
        async with AsyncExitStack() as stack:
            echo = self._make_node(partner) if partner is not None else None
            node = self._make_node(plan, () if echo is None else (echo.ring,))
            # Pushed first, so that the default is put back while the node is still there.
            stack.push_async_callback(_stop, *([node] if echo is None else [node, echo]))
            self._nodes[plan.name] = node
            stack.callback(self._nodes.pop, plan.name)
            default = await stack.enter_async_context(
                DefaultNode(self.journal, plan.role, plan.name, self._find_changer)
            )
            await trio.to_thread.run_sync(node.start)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_Keeper(node, default, tell, echo).run)
                yield node
                nursery.cancel_scope.cancel()

    def _own_playback(self, plan: SoundNodePlan) -> SoundNodePlan:
        """Plan what plays on the host's own device, in the sound server of the user who runs the host."""
        return SoundNodePlan(
            role=SoundRole.PLAYBACK,
            name=f"{plan.name}-here",
            description=plan.description,
            channel_count=plan.channel_count,
            rate_hz=plan.rate_hz,
            pipewire_path=pipewire_path(self._environment),
            pulse_path=pulse_path(self._environment),
        )


@asynccontextmanager
async def heard(
    desk: SoundDesk | None,
    source: AudioSource,
    listener: Listener,
    channel_count: int,
    rate_hz: int,
    tell: Tell,
    *,
    also_here: bool = False,
) -> AsyncGenerator[SoundNode | None]:
    """Own what the programs of a session play into; None where its sound is not a desktop's."""
    if desk is None or source is not AudioSource.DESKTOP or desk.mode == "host":
        await trio.lowlevel.checkpoint()
        yield None
        return
    async with desk.sink(listener, channel_count, rate_hz, tell, also_here=also_here) as node:
        yield node


class _Keeper:
    """Follows what becomes of a node: makes it the default each time it is made, and tells people."""

    def __init__(self, node: SoundNode, default: DefaultNode, tell: Tell, echo: SoundNode | None) -> None:
        self._node = node
        self._default = default
        self._tell = tell
        self._echo = echo
        self._told = ""

    async def run(self) -> None:
        """Follow until cancelled, or until the node's thread dies, which ends nothing else."""
        role = self._node.plan.role
        without = "the stream is silent" if role is SoundRole.SINK else "there is no microphone"
        try:
            while True:
                await trio.lowlevel.wait_readable(self._node.event_fd)
                state = self._node.state()
                if state.server is None:
                    self._say(f"sound: {state.problem}; {without} meanwhile. {state.hint}".strip())
                    continue
                await self._take(state.server)
        except PunktfunkError as problem:
            self._say(f"{without}: {worded(problem)}")

    async def _take(self, server: SoundServerKind) -> None:
        """Make it the default. The session manager may come some time after its server."""
        plan, problem = self._node.plan, ""
        path = plan.pulse_path if server is SoundServerKind.PULSE else plan.pipewire_path
        for _ in range(TAKE_TRIES):
            try:
                await self._default.take(server, path)
            except EnvironmentProblem as found:
                problem = worded(found)
                await trio.sleep(TAKE_EVERY_S)
            else:
                what = "programs play into" if plan.role is SoundRole.SINK else "programs record from"
                self._say(f"sound: {what} “{plan.description}” ({server.value})")
                await self._begin_echo()
                return
        self._say(f"sound: “{plan.description}” is there, but cannot be made the default: {problem}")

    async def _begin_echo(self) -> None:
        """Play on the host too. Without a device there our own sink would be the default to play on."""
        echo, device = self._echo, self._default.before
        if echo is None or echo.is_started:
            return
        if echo.plan.pipewire_path == self._node.plan.pipewire_path:
            if not device:
                self._say("sound: this host has no device of its own to play on as well")
                return
            echo.aim(device)
        await trio.to_thread.run_sync(echo.start)

    def _say(self, sentence: str) -> None:
        if sentence != self._told:
            self._told = sentence
            self._tell(sentence)


async def _stop(*nodes: SoundNode) -> None:
    with trio.CancelScope(shield=True):  # the bound lives inside stop()
        for node in nodes:
            try:
                await trio.to_thread.run_sync(node.stop, JOIN_NS)
            except PunktfunkError as problem:  # a sound server that hangs ends no app
                logger.warning("node=%s %s", node.plan.name, problem)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24] or "client"
