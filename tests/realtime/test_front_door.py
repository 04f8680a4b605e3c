import subprocess
import sys

import pytest

from punktfunk import realtime


def test_every_name_is_there_and_the_lists_agree():
    assert sorted(realtime._HOMES) == sorted(realtime.__all__)
    for name in realtime.__all__:
        assert getattr(realtime, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Nothing"):
        _ = realtime.Nothing


def test_looking_in_loads_nothing_heavy():
    code = (
        "import sys, punktfunk.realtime as r\n"
        "r.Pipeline, r.AudioLink, r.probe_encoders, r.prepare_process, r.is_warm\n"
        "print([name for name in ('numba', 'av', 'trio', 'asyncio') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
