"""Cases over real sockets: starts the trial, and the relay or the namespace that it goes through."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.network.client_model import Delivered
from punktfunk.measure.network.netem import namespace
from punktfunk.measure.network.options import Case, LossOptions
from punktfunk.measure.network.world import Outcome

_END_S: Final = 10.0


class _Child:
    """A process that speaks in lines."""

    def __init__(self, process: "subprocess.Popen[str]", words: Any) -> None:
        self._process, self._words = process, words

    def line(self) -> str:
        """Read its next line; EnvironmentProblem with its last words if it has none."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if line:
            return line
        self._process.wait(_END_S)
        self._words.seek(0)
        last = self._words.read()[-600:].decode("utf-8", "replace").strip()
        raise EnvironmentProblem(
            f"the trial ended by itself (exit {self._process.returncode}): {last}",
            hint="Try --by model, which needs no sockets.",
        )

    def say(self, text: str) -> None:
        """Write a line to its input."""
        assert self._process.stdin
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def finish(self) -> None:
        """Close its input, which ends a relay."""
        assert self._process.stdin
        self._process.stdin.close()


@contextmanager
def _child(before: Sequence[str], module: str, values: dict[str, Any]) -> Iterator[_Child]:
    command = [*before, sys.executable, "-m", module, json.dumps(values)]
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True
        ) as process,
    ):
        try:
            yield _Child(process, words)
        finally:
            process.kill()


def by_sockets(options: LossOptions, case: Case, record: Path | None = None) -> Outcome:
    """Run a case through the relay, a process of ours; ``record`` is a file for the packets that came."""
    with ExitStack() as stack:
        settings = asdict(case.link) | {"seed": options.seed}
        relay = stack.enter_context(_child([], "punktfunk.measure.network.relay", settings))
        port = int(relay.line())
        trial = stack.enter_context(
            _child([], "punktfunk.measure.network.trial", _asked(options, case, port, record))
        )
        relay.say(f"127.0.0.1 {json.loads(trial.line())['port']}")
        trial.say("go")
        found = json.loads(trial.line())
        relay.finish()
        relayed = json.loads(relay.line())
    return _outcome(found | {"lost_packets": relayed["lost"] + relayed["overflowed"]})


def by_netem(options: LossOptions, case: Case) -> Outcome:
    """Run a case in a namespace with the kernel's netem; EnvironmentProblem where it has none."""
    with (
        namespace(case.link) as inside,
        _child(inside, "punktfunk.measure.network.trial", _asked(options, case, 0)) as trial,
    ):
        trial.line()
        trial.say("go")
        return _outcome(json.loads(trial.line()))


def _asked(options: LossOptions, case: Case, port: int, record: Path | None = None) -> dict[str, Any]:
    stream, where = asdict(options.stream(case)), None if record is None else str(record)
    return {"stream": stream, "seconds": options.seconds, "port": port, "record": where}


def _outcome(found: dict[str, Any]) -> Outcome:
    frames = [Delivered(*row) for row in found["frames"]]
    return Outcome(**found | {"frames": frames})
