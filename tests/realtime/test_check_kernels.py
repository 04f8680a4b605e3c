import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_kernels.py"
spec = importlib.util.spec_from_file_location("check_kernels", SCRIPT)
assert spec
assert spec.loader
check_kernels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_kernels)


def test_all_kernels_have_a_judge() -> None:
    assert check_kernels.main() == 0


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    kernels, reference = tmp_path / "kernels", tmp_path / "reference"
    kernels.mkdir()
    reference.mkdir()
    (kernels / "sums.py").write_text(
        '@kernel("void(int64)")\ndef lonely(a):\n    """Has a."""\n\n'
        '@kernel("void(int64)")\ndef silent(a):\n    """Says nothing."""\n\n'
        '@kernel("void(int64)")\ndef other(a):\n    """a."""\n\n'
        'def bare(a):\n    """a."""\n\n'
        "@intrinsic\ndef one(t):\n    pass\n\ndef _private():\n    pass\n"
    )
    (reference / "sums.py").write_text("def silent(_a):\n    pass\n\ndef other(b):\n    pass\n")
    found = check_kernels.check(kernels, reference)
    assert [line.split(":")[0] for line in found] == ["sums.lonely", "sums.silent", "sums.other", "sums.bare"]
    assert "no twin" in found[0]
    assert "does not mention a" in found[1]
    assert "differ" in found[2]
    assert "wear @kernel" in found[3]
