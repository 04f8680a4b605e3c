"""Every check, by name. ``nox`` runs what a commit needs; ``nox -l`` lists the rest.

``scripts/test`` runs the same checks with all set-up; these sessions are for whoever has Python and sway.
"""

import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "uv|virtualenv"


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style, import directions, kernels and their twins."""
    session.install("-e", ".[lint]")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")
    session.run("python", "scripts/check_kernels.py")
    session.run("python", "scripts/generate_wayland.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install("-e", ".[lint]")
    session.run("mypy")


def _pytest(session: nox.Session, *words: str, **environ: str) -> None:
    """Run tests against the installed package: beside a copy of the tests there is no punktfunk folder."""
    session.install(".[test,peers]")
    copy = Path(session.create_tmp()) / "tests-only"
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns("punktfunk", ".*", "__pycache__", "*.egg-info", "build", "dist")
    shutil.copytree(Path.cwd(), copy, ignore=ignored)
    session.chdir(copy)
    session.run("pytest", *words, *session.posargs, env=environ)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no peer."""
    _pytest(session)


@nox.session(default=False)
def modes(session: nox.Session) -> None:
    """Kernel tests in every other SIMD mode of this CPU, which compile for a minute first."""
    session.install(".[test,peers]")
    session.run("python", "scripts/run_modes.py", *session.posargs)


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """Stream to real Moonlight cores, from the test card and from sway. Not as root: sway refuses."""
    _pytest(session, "-m", "peer and not slow")


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Break things on purpose and look for leftovers."""
    _pytest(session, "-m", "fault and not slow")


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Soaks, network namespaces, recordings: the tests that take half a minute and more each."""
    _pytest(session, "-m", "slow")


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Connect, stream, disconnect on sway and GNOME, half an hour each: ``nox -s soak -- --minutes 5``."""
    session.install(".[test,peers]")
    session.run("python", "scripts/soak.py", *session.posargs)


@nox.session(default=False, venv_backend="none")
def vm(session: nox.Session) -> None:
    """Test a real KWin, and pads by uinput and uhid, in a virtual machine: root, both cores, ten minutes."""
    session.run("scripts/vm_run", *session.posargs, external=True)


ENCODERS = ("libx264", "libx265", "libsvtav1", "h264_vaapi", "hevc_vaapi", "av1_vaapi", "h264_vulkan")
DISTRO_AV_TESTS = (
    *("tests/realtime/encode", "tests/realtime/decode", "tests/realtime/capture/test_converter.py"),
    *("tests/realtime/test_pipeline.py", "tests/realtime/test_audio_link.py"),
    *("tests/realtime/test_sound_maker.py", "tests/control/doctor"),
)
WITHOUT_AV1 = "not AV1 and not svtav1 and not every_codec and not no_thread_is_left and not to_the_terminal"
"""SVT-AV1 of the distributions before FFmpeg 8 refuses what is asked of it; AV1 is then not offered."""
PYAV_FOR_LIBAVCODEC = {59: "12.3.0", 60: "13.1.0", 61: "16.1.0", 62: "18.1.0"}
"""The newest PyAV that builds against FFmpeg 5, 6, 7 and 8."""


@nox.session(default=False)
def distro_av(session: nox.Session) -> None:
    """Build PyAV against the distribution's FFmpeg, ten minutes, and test encoders and decoders with it.

    Needs a compiler, pkg-config and FFmpeg's development packages: `punktfunk doctor` names them for its own
    purposes; on Debian gcc python3-dev pkg-config and lib{avformat,avcodec,avdevice,avutil,avfilter,swscale,
    swresample}-dev.
    """
    answer = session.run("pkg-config", "--modversion", "libavcodec", external=True, silent=True)
    major = int(str(answer).partition(".")[0])
    if major not in PYAV_FOR_LIBAVCODEC:
        session.error(f"no PyAV is known to build against libavcodec {major}")
    wanted = f"av=={PYAV_FOR_LIBAVCODEC[major]}"
    session.install("--no-binary", "av", wanted)
    session.install(".[test,peers]", wanted)
    session.run("python", "-m", "punktfunk.realtime.encode.trial", *ENCODERS)
    left_out = ("-k", WITHOUT_AV1) if major < 62 else ()
    session.run("pytest", *DISTRO_AV_TESTS, *left_out, *session.posargs)


@nox.session(default=False)
def kernels_checked(session: nox.Session) -> None:
    """Kernel tests with Numba's bounds checks compiled in."""
    _pytest(session, "tests/realtime/kernels", NUMBA_BOUNDSCHECK="1")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Benchmarks, all or those named: ``nox -s bench -- fec startup``. Rows land in .bench/NAME.json."""
    session.install(".[test,peers,bench]")
    rows = Path(".bench")
    rows.mkdir(exist_ok=True)
    names = session.posargs or sorted(
        path.stem for path in Path("benchmarks").glob("*.py") if "__main__" in path.read_text("utf-8")
    )
    for name in names:
        session.run("python", "-m", f"benchmarks.{name}", "--json", str(rows / f"{name}.json"))


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Pages made from docstrings and from the settings' schema, into docs/reference."""
    session.install("-e", ".")
    session.run("python", "scripts/make_docs.py", "docs/reference")
