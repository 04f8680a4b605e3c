from pathlib import Path

import pytest
from lab_folder import lab_folder, write

from punktfunk.errors import ConfigError, Misuse
from punktfunk.realtime import Cipher, find_variants, is_shipped, load_checked, shipped_variants, trials
from punktfunk.realtime.kernels.seal_choice import runnable_seals
from punktfunk.realtime.variants import FIRST_OWN_NUMBER, KINDS, SHIPPED
from punktfunk.realtime.workshop import shipped

NOWHERE = Path("/nowhere")


def test_every_number_stands_for_one_variant() -> None:
    everything = list(shipped_variants())
    assert {kind for kind, name, number in everything if (name, number) == ("default", 0)} == set(KINDS)
    assert len({(kind, number) for kind, _, number in everything}) == len(everything)
    assert all(0 <= number < FIRST_OWN_NUMBER for _, _, number in everything)
    assert is_shipped("seal", "evp")
    assert not is_shipped("fec8", "evp")


@pytest.mark.parametrize("name", SHIPPED["seal"])
def test_seals_are_loaded_where_the_cpu_runs_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in runnable_seals():
        variant = load_checked(NOWHERE, "seal", name)
        with Cipher(bytes(16), implementation=name) as cipher:
            assert variant.address == cipher.seal_address
        assert (variant.number, variant.context_over(4711).address) == (SHIPPED["seal"][name], 4711)
    monkeypatch.setattr("punktfunk.realtime.kernels.seal_choice.runnable_seals", lambda: ())
    with pytest.raises(Misuse, match="does not run on this CPU"):
        shipped.load_shipped("seal", name)


@pytest.mark.parametrize("name", SHIPPED["decode"])
def test_every_decoder_restores_a_block(name: str) -> None:
    (trial,) = trials(NOWHERE, "decode", name, ["20:4x64-2"])
    trial.ours(2)


def test_a_name_that_ships_cannot_be_taken() -> None:
    folder = lab_folder("taken")
    write(folder, "mine", "from punktfunk.realtime.lab import seal\n@seal('evp')\ndef f(): ...\n")
    with pytest.raises(ConfigError, match=r"mine\.py:3: seal=evp is punktfunk's own"):
        find_variants(folder)
