"""The cache folder's name, its fall-backs, and the SIMD mode. Each question goes to a fresh interpreter."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from punktfunk.realtime.kernels import cache

ASK = "from punktfunk.realtime.kernels import cache; "


def ask(question: str, **environment: str) -> str:
    given = {k: v for k, v in os.environ.items() if not k.startswith(("PUNKTFUNK_", "NUMBA_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", ASK + question],
        env=given | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip()


def test_the_folder_carries_the_mode_and_is_private(tmp_path: Path) -> None:
    folder = Path(ask("print(cache.cache_folder())", XDG_CACHE_HOME=str(tmp_path), PUNKTFUNK_SIMD="ssse3"))
    assert folder.parent == tmp_path / "punktfunk"
    assert folder.name.startswith("kernels-ssse3-")
    assert folder.stat().st_mode & 0o777 == 0o700
    other = Path(ask("print(cache.cache_folder())", XDG_CACHE_HOME=str(tmp_path), PUNKTFUNK_SIMD="generic"))
    assert other != folder


def test_a_parent_chooses_the_folder_of_its_child(tmp_path: Path) -> None:
    chosen = str(tmp_path / "here")
    assert ask("print(cache.cache_folder())", PUNKTFUNK_KERNEL_CACHE=chosen) == chosen


def test_an_unusable_folder_becomes_a_temporary_one_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "punktfunk").write_text("a file where the folder should be")
    told = ask(
        "print(cache.cache_folder(), *cache.cache_problems(), sep='|')",
        XDG_CACHE_HOME=str(tmp_path),
        TMPDIR=str(tmp_path),
    )
    folder, _, problem = told.partition("|")
    assert "kernels cannot be kept" in problem
    assert folder.startswith(str(tmp_path / "punktfunk-kernels-"))
    assert not Path(folder).exists()  # gone with its process


def test_an_unknown_mode_is_refused() -> None:
    assert "ConfigError: PUNKTFUNK_SIMD=mmx is no SIMD mode" in ask("cache.simd_mode()", PUNKTFUNK_SIMD="mmx")


@pytest.mark.parametrize(
    ("machine", "flags", "modes"),
    [
        ("x86_64", "ssse3 avx2 avx512f avx512bw gfni", ("gfni512", "avx512", "avx2", "ssse3", "generic")),
        ("x86_64", "ssse3 avx2", ("avx2", "ssse3", "generic")),
        ("x86_64", "", ("generic",)),
        ("aarch64", "asimd", ("neon", "generic")),
    ],
)
def test_the_best_mode_of_a_cpu_comes_first(
    machine: str, flags: str, modes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "cpu_lines", lambda: ("A CPU", frozenset(flags.split())))
    monkeypatch.setattr(cache.platform, "machine", lambda: machine)
    assert cache.runnable_modes.__wrapped__() == modes


def test_asking_loads_no_numba() -> None:
    question = (
        "import sys; from punktfunk.realtime import warm; warm.is_warm(); print('numba' in sys.modules)"
    )
    assert ask(question) == "False"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of this name with one kernel, which calls a function of another file; the real jit and cache."""
    kernels = tmp_path / "punktfunk" / "realtime" / "kernels"
    kernels.mkdir(parents=True)
    real = Path(cache.__file__).parent
    for name in ("cache.py", "jit.py"):
        shutil.copy(real / name, kernels / name)
    shutil.copy(real.parent.parent / "errors.py", tmp_path / "punktfunk" / "errors.py")
    for folder in (kernels, kernels.parent, kernels.parent.parent):
        (folder / "__init__.py").write_text("")
    (kernels / "constants.py").write_text("STEP = 1\n")
    (kernels / "inner.py").write_text(
        "import numba\nfrom punktfunk.realtime.kernels.constants import STEP\n"
        "@numba.njit\ndef step(x):\n    return x + STEP\n"
    )
    (kernels / "outer.py").write_text(
        "from punktfunk.realtime.kernels import (\n    inner,\n)\n"
        "from punktfunk.realtime.kernels.jit import kernel\nstep = inner.step\n"
        '@kernel("int64(int64)")\ndef answer(x):\n    return step(x)\n'
        "print(answer(41), sum(answer.stats.cache_hits.values()))\n"
    )
    return tmp_path


def answer(package: Path, **environment: str) -> str:
    given = {k: v for k, v in os.environ.items() if not k.startswith(("PUNKTFUNK_", "NUMBA_", "XDG_"))}
    given |= {"PYTHONPATH": str(package), "XDG_CACHE_HOME": str(package / "cache")} | environment
    command = [sys.executable, "-P", "-m", "punktfunk.realtime.kernels.outer"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, cwd=package)
    return done.stdout.strip() or done.stderr.strip()


def test_a_changed_source_never_meets_its_old_machine_code(package: Path) -> None:
    """Numba looks at the kernel's own file only; the constant stands two files further."""
    assert answer(package) == "42 0"
    assert answer(package) == "42 1"
    (package / "punktfunk" / "realtime" / "kernels" / "constants.py").write_text("STEP = 2\n")
    assert answer(package) == "43 0"


def test_another_mode_or_processor_never_meets_this_ones_machine_code(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer(package) == "42 0"
    assert answer(package, PUNKTFUNK_SIMD="generic") == "42 0"
    assert answer(package, NUMBA_BOUNDSCHECK="1") == "42 0"
    here = cache._salt.__wrapped__()
    monkeypatch.setattr(cache, "cpu_lines", lambda: ("Another CPU", frozenset({"avx2"})))
    assert cache._salt.__wrapped__() != here


def test_a_cache_that_cannot_be_written_costs_a_compilation_only(package: Path) -> None:
    (package / "cache").mkdir()
    (package / "cache" / "punktfunk").write_text("a file where the folder should be")
    assert answer(package) == "42 0"
    assert answer(package) == "42 0"


def test_machine_code_is_forgotten_after_a_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "punktfunk" / "kernels-avx2-0123456789abcdef"
    old, new, foreign = (folder / name for name in ("gf8-" + "0" * 16, "gf8-" + "1" * 16, "keep-me"))
    sibling = folder.parent / "kernels-ssse3-0123456789abcdef"
    for entry in (old, new, foreign, sibling):
        entry.mkdir(parents=True)
    long_ago_s = time.time() - 40 * 24 * 3600
    for entry in (old, foreign, sibling):
        os.utime(entry, (long_ago_s, long_ago_s))
    monkeypatch.setattr(cache, "cache_folder", lambda: folder)
    cache.forget_old()
    assert [entry.exists() for entry in (old, new, foreign, sibling)] == [False, True, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["generic", "ssse3", "avx2"])
def test_every_mode_of_this_cpu_agrees_with_the_twins(mode: str, tmp_path: Path) -> None:
    question = "from punktfunk.realtime import warm; warm.self_check(); print(warm.simd_mode())"
    assert ask(question, XDG_CACHE_HOME=str(tmp_path), PUNKTFUNK_SIMD=mode) == mode
