"""Sending and receiving through a system that refuses now and then, against a model; see refusing_system."""

import subprocess
import sys
from pathlib import Path


def test_every_error_means_what_the_model_says() -> None:
    child = Path(__file__).with_name("refusing_system.py")
    run = subprocess.run([sys.executable, child], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "agrees", run.stderr[-3000:]
