"""Settings that every test shares."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No example database: the suite also runs as a user who may not write beside the tests. No deadline: the machine is
# shared, and a slow moment is no failure.
settings.register_profile(
    "punktfunk", database=None, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("punktfunk")


@pytest.fixture
def own_temporary_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A temporary folder of the test's own, for itself and what it starts: what is left there is nobody else's.

    Unlike ``tmp_path`` it is short enough for sockets.
    """
    tmp_path_factory.getbasetemp()  # made before, or it would lie in here
    with tempfile.TemporaryDirectory(prefix="pf-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)
