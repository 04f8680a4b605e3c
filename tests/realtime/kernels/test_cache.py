"""The cache folder's name, its fall-backs, and the SIMD mode. Each question goes to a fresh interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_asking_loads_no_numba() -> None:
    question = (
        "import sys; from punktfunk.realtime import warm; warm.is_warm(); print('numba' in sys.modules)"
    )
    assert ask(question) == "False"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["generic", "ssse3", "avx2"])
def test_every_mode_of_this_cpu_agrees_with_the_twins(mode: str, tmp_path: Path) -> None:
    question = "from punktfunk.realtime import warm; warm.self_check(); print(warm.simd_mode())"
    assert ask(question, XDG_CACHE_HOME=str(tmp_path), PUNKTFUNK_SIMD=mode) == mode
