"""docs/native-protocol.md says what the codec does: its tables come from the layouts, and are up to date."""

import importlib.util
from pathlib import Path

import pytest

from punktfunk.wire.native.control import CONTROL
from punktfunk.wire.native.datagrams import DATAGRAMS
from punktfunk.wire.native.pad_output import OUTPUT
from punktfunk.wire.native.pairing import PAIRING
from punktfunk.wire.native.rich_input import RICH

SCRIPT = Path(__file__).parents[3] / "scripts" / "make_native_protocol.py"
spec = importlib.util.spec_from_file_location("make_native_protocol", SCRIPT)
maker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(maker)
PAGE = maker.PAGE.read_text("utf-8")


def test_tables_are_up_to_date():
    assert maker.generate(PAGE) == PAGE, "run scripts/make_native_protocol.py"


def test_every_region_is_on_the_page():
    assert sorted(name for _, name, _ in maker.REGION.findall(PAGE)) == sorted(maker.REGIONS)


def test_every_message_is_on_the_page():
    for registry in (CONTROL, DATAGRAMS, OUTPUT, PAIRING, RICH):
        for code, entry in registry.entries.items():
            assert f"**`0x{code:02X}` {entry.layout.kind.__name__}**" in PAGE


@pytest.mark.parametrize("registry", [CONTROL, DATAGRAMS, OUTPUT, PAIRING, RICH])
def test_every_message_says_what_it_is_for(registry):
    for entry in registry.entries.values():
        assert entry.layout.kind.__doc__
        assert "(" + entry.layout.kind.__name__ not in entry.layout.kind.__doc__
