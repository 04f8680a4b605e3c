"""What ``punktfunk lab new`` writes works: each kind passes its check as it is, and can be timed."""

from importlib import resources

import pytest
from lab_folder import lab_folder, write

from punktfunk.errors import ConfigError
from punktfunk.realtime import check_variant, find_variant, is_checked, trials
from punktfunk.realtime.variants import KINDS

TEMPLATES = resources.files("punktfunk") / "lab_templates"
SHAPES = {"fec8": "4:2x64", "fec16": "4:2x64", "seal": "2x64", "pace": "9", "decode": "20:4x64-2"}


def test_there_is_one_for_every_kind() -> None:
    assert {place.name for place in TEMPLATES.iterdir()} == {f"{kind}.txt" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_passes_its_check(kind: str) -> None:
    folder = lab_folder(f"template-{kind}")
    write(folder, "mine", (TEMPLATES / f"{kind}.txt").read_text("utf-8").replace("NAME", "mine"))
    assert len(list(check_variant(folder, kind, "mine", 1))) > 20
    found = find_variant(folder, kind, "mine")
    assert is_checked(found)
    assert found.summary
    (trial,) = trials(folder, kind, "mine", [SHAPES[kind]])
    trial.default(3)
    trial.ours(3)
    with pytest.raises(ConfigError, match="is no shape"):
        list(trials(folder, kind, "mine", ["nonsense"]))


BROKEN = {
    "fec8": ("(parity_count + i) ^ j", "(parity_count + i) ^ (j & 1)", "parity row 2, byte "),
    "fec16": ("return default_fec16(", "return 1 + default_fec16(", "it answered 1 instead of 0"),
    "seal": ("return default_seal(", "aad_bytes //= 2\n    return default_seal(", "(tag): 0x"),
    "pace": ("start_ns + window_ns * first", "start_ns - window_ns * first", " may leave -"),
    "decode": ("return DIRECT", "return 17", "it answered 17 for "),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_with_a_mistake_does_not(kind: str) -> None:
    folder = lab_folder(f"mistake-{kind}")
    right, wrong, complaint = BROKEN[kind]
    text = (TEMPLATES / f"{kind}.txt").read_text("utf-8")
    assert right in text
    write(folder, "mine", text.replace("NAME", "mine").replace(right, wrong))
    with pytest.raises(ConfigError) as caught:
        list(check_variant(folder, kind, "mine", 1))
    assert complaint in str(caught.value)
