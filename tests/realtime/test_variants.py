import ctypes

import numpy as np
import pytest

from punktfunk.errors import ConfigError
from punktfunk.realtime.kernels.layout import CODE_OWN
from punktfunk.realtime.variants import CODE_DEFAULT, Variant, words_at


def test_what_ships_gets_the_default_s_own_context() -> None:
    assert Variant("fec8", "matrix", 1, 99).context_over(4711).address == 4711


@pytest.mark.parametrize("kind", ["fec8", "fec16", "seal", "pace", "decode"])
def test_a_researcher_s_context_has_the_default_s_and_its_own_words(kind: str) -> None:
    default = np.arange(100, 120)
    table = np.arange(5, dtype=np.uint8)
    variant = Variant(kind, "mine", 999, 0, wants_own_context=True, prepare=lambda: [7, table, True])
    context = variant.context_over(default.ctypes.data)
    words = words_at(context.address, CODE_OWN + 3)
    assert list(words[:5]) == ([100, 101, 102, 103, 104] if kind.startswith("fec") else [0] * 5)
    assert words[CODE_DEFAULT] == default.ctypes.data
    assert (words[CODE_OWN], words[CODE_OWN + 2]) == (7, 1)
    assert ctypes.string_at(int(words[CODE_OWN + 1]), 5) == bytes(table)
    assert any(kept is table for kept in context.kept)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda: [1.5],
        lambda: ["text"],
        lambda: [np.zeros((4, 4))[:, 1]],
        lambda: [1 << 64],
        lambda: 3,
        lambda: 1 / 0,
    ],
    ids=["float", "text", "gaps", "large", "number", "raises"],
)
def test_a_prepare_that_fails_is_a_named_error(prepare: object) -> None:
    variant = Variant("pace", "mine", 999, 0, wants_own_context=True, prepare=prepare)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"pace mine: its prepare\(\) failed: "):
        variant.context_over(0)
