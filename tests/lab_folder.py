"""A researcher's folder that stands still between runs, so that what was compiled in it stays compiled."""

import os
import re
import shutil
import tempfile
from pathlib import Path


def lab_folder(name: str) -> Path:
    """An empty folder of this user's own."""
    folder = Path(tempfile.gettempdir()) / f"punktfunk-lab-tests-{os.getuid()}" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    folder.parent.chmod(0o700)
    return folder


def write(folder: Path, name: str, text: str) -> Path:
    """A file that nobody else may write."""
    path = folder / f"{name}.py"
    path.write_text(text)
    path.chmod(0o600)
    return path


def examples() -> dict[str, str]:
    """The files that docs/lab.md has its readers write, by name."""
    text = (Path(__file__).parent.parent / "docs" / "lab.md").read_text()
    return dict(re.findall(r"^```python (\w+)\.py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
