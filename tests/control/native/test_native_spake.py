"""SPAKE2 against the vector of the Rust crate (RustCrypto spake2, tests/compat.rs): both elements and the key."""

import hashlib

import pytest
from spake2 import SPAKE2_A, SPAKE2_B

from punktfunk.control.native import spake
from punktfunk.errors import RemoteProtocolError

SCALAR_A = 2611694063369306139794446498317402240796898290761098242657700742213257926693
SCALAR_B = 7002393159576182977806091886122272758628412261510164356026361256515836884383
PASSWORD_SCALAR = 3515301705789368674385125653994241092664323519848410154015274772661223168839
ELEMENT_A = "416fc960df73c9cf8ed7198b0c9534e2e96a5984bfc5edc023fd24dacf371f2af9"
ELEMENT_B = "42354e97b88406922b1df4bea1d7870f17aed3dba7c720b313edae315b00959309"
KEY = "712295de7219c675ddd31942184aa26e0a957cf216bc230d165b215047b520c1"


class FixedGroup:
    """The group with a scalar that is not random."""

    def __init__(self, group, scalar):
        self._group, self._scalar = group, scalar

    def __getattr__(self, name):
        return getattr(self._group, name)

    def random_scalar(self, _entropy):
        return self._scalar


class FixedParameters:
    def __init__(self, parameters, scalar):
        self.group = FixedGroup(parameters.group, scalar)
        self.M, self.N, self.S, self.M_str, self.N_str, self.S_str = (
            getattr(parameters, name) for name in ("M", "N", "S", "M_str", "N_str", "S_str")
        )


def fixed(side, scalar):
    """One side of the vector's exchange."""
    one = side(b"password", idA=b"idA", idB=b"idB")
    one.params = FixedParameters(one.params, scalar)
    return one


def test_vector_of_the_rust_crate():
    a, b = fixed(SPAKE2_A, SCALAR_A), fixed(SPAKE2_B, SCALAR_B)
    assert a.pw_scalar == PASSWORD_SCALAR
    element_a, element_b = a.start(), b.start()
    assert (element_a.hex(), element_b.hex()) == (ELEMENT_A, ELEMENT_B)
    assert a.finish(element_b).hex() == KEY
    assert b.finish(element_a).hex() == KEY


def fingerprint(name):
    return hashlib.sha256(name.encode()).digest()


@pytest.mark.parametrize(
    ("pin", "client", "host", "same"),
    [("1234", "c", "h", True), ("1235", "c", "h", False), ("1234", "h", "c", False)],
)
def test_keys_are_the_same_only_if_all_is(pin, client, host, same):
    ours = spake.Client("1234", fingerprint("c"), fingerprint("h"))
    element, key = spake.answer(pin, ours.element, fingerprint(client), fingerprint(host))
    assert len(ours.element) == len(element) == spake.ELEMENT_BYTES
    assert (ours.finish(element) == key) is same


@pytest.mark.parametrize(
    "element", [b"", b"A", b"A" + bytes(32), b"B" + bytes(32), b"A" + b"\xff" * 32, bytes(64)]
)
def test_bad_elements(element):
    with pytest.raises(RemoteProtocolError):
        spake.answer("1234", element, fingerprint("c"), fingerprint("h"))
