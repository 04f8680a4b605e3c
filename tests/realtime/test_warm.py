import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.realtime import selfcheck, warm
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.kernels import convert, pack


def test_the_list_of_modules_is_complete() -> None:
    kernels = (Path(warm.__file__).parent / "kernels").glob("*.py")
    wanted = {
        path.stem for path in kernels if re.search(r"^@(kernel|entry)\(", path.read_text(), re.MULTILINE)
    }
    assert set(warm.KERNEL_MODULES) == wanted


def test_every_module_comes_after_those_it_is_made_of() -> None:
    seen: set[str] = set()
    for name in warm.KERNEL_MODULES:
        text = (Path(warm.__file__).parent / "kernels" / f"{name}.py").read_text()
        needed = set(re.findall(r"^from punktfunk\.realtime\.kernels\.(\w+) import", text, re.MULTILINE))
        assert needed & set(warm.KERNEL_MODULES) <= seen
        seen.add(name)


def test_compiling_reports_every_step_and_leaves_the_cache_warm() -> None:
    steps: list[warm.WarmStep] = []
    warm.compile_in_child(steps.append)
    assert [step.name for step in steps] == list(warm.KERNEL_MODULES)
    assert [step.done for step in steps] == list(range(1, len(steps) + 1))
    assert [step.can_stream for step in steps].index(True) == len(warm.STREAM_MODULES) - 1
    assert steps[-1].share == 1
    assert steps[-1].left_s == 0
    assert warm.is_warm()
    assert warm.can_stream()


def test_a_child_that_fails_is_an_environment_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNKTFUNK_SIMD", "mmx")
    with pytest.raises(EnvironmentProblem, match="mmx is no SIMD mode"):
        warm.compile_in_child(print)


def test_instructions_that_this_cpu_lacks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "simd_mode", lambda: "neon")
    monkeypatch.setattr(warm, "runnable_modes", lambda: ("avx2", "generic"))
    for refuse in (lambda: warm.compile_in_child(print), warm.self_check):
        with pytest.raises(ConfigError, match="PUNKTFUNK_SIMD=neon asks for instructions"):
            refuse()


def test_every_check_is_made() -> None:
    checks = {path.stem for path in (Path(warm.__file__).parent / "checks").glob("*.py")}
    assert {*warm.STREAM_CHECKS, *warm.REST_CHECKS} == checks - {"__init__", "same"}


@pytest.mark.simd
def test_the_kernels_agree_with_their_twins() -> None:
    warm.self_check()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (pack, "plan_blocks"),
        (pack, "write_frame_header"),
        (pack, "cut_block"),
        (pack, "finish_block"),
        (convert, "convert_i420"),
        (convert, "convert_nv12"),
    ],
)
def test_a_kernel_that_is_wrong_is_named(
    module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = getattr(module, name)

    def wrong(*arguments: Any) -> Any:
        code = right(*arguments)
        output = arguments[2] if module is convert else arguments[0]
        output.reshape(-1)[0] ^= 1
        return code

    monkeypatch.setattr(module, name, wrong)
    assert selfcheck.differing(warm.STREAM_CHECKS) == [module.__name__.rpartition(".")[2]]
    with pytest.raises(EnvironmentProblem, match="differ from their twins"):
        warm.self_check()


def test_an_entry_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Code8.encode

    def wrong(self: Code8, data: NDArray[np.uint8], parity: NDArray[np.uint8]) -> None:
        right(self, data, parity)
        parity[0, 0] ^= 1

    monkeypatch.setattr(Code8, "encode", wrong)
    assert selfcheck.differing(warm.STREAM_CHECKS) == ["rs8"]
    with pytest.raises(EnvironmentProblem, match="differ from their twins"):
        warm.self_check(stream_only=True)


def test_a_caller_that_gives_up_leaves_no_child() -> None:
    class GivenUp(Exception):
        pass

    started = set(psutil.Process().children())
    calls = []

    def check() -> None:
        calls.append(None)
        if len(calls) > 1:
            raise GivenUp

    with pytest.raises(GivenUp):
        warm.compile_in_child(print, check)
    assert set(psutil.Process().children()) <= started
