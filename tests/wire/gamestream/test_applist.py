"""The app list and its ids."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.gamestream.applist import AppEntry, build_applist, stable_app_id

TITLES = st.text(max_size=30).filter(lambda text: any(c.isalnum() for c in text))
APPS = st.lists(
    st.builds(AppEntry, st.integers(1, 0x7FFFFFFF), TITLES, st.booleans()), unique_by=lambda app: app.app_id
)


@settings(max_examples=100, deadline=None)
@given(APPS)
def test_lists_read_back_without_a_text_node_between_elements(apps):
    root = ET.fromstring(build_applist(apps))
    assert root.get("status_code") == "200"
    for element in root.iter():
        assert element.tail is None
        assert element.text is None or element.tag in {"AppTitle", "ID", "IsHdrSupported"}
    read = [(int(app.findtext("ID")), app.findtext("IsHdrSupported")) for app in root]
    assert read == [(app.app_id, str(int(app.hdr))) for app in apps]


def test_golden_document():
    assert build_applist([AppEntry(7, "Tom & Jerry", hdr=True)]).decode() == (
        '<?xml version="1.0" encoding="utf-8"?><root status_code="200"><App><IsHdrSupported>1</IsHdrSupported>'
        "<AppTitle>Tom &amp; Jerry</AppTitle><ID>7</ID></App></root>"
    )
    assert build_applist([]).endswith(b'<root status_code="200"></root>')


@pytest.mark.parametrize(
    "apps",
    [
        [AppEntry(0, "Zero")],
        [AppEntry(1 << 31, "Large")],
        [AppEntry(1, "Once"), AppEntry(1, "Twice")],
        [AppEntry(1, "")],
        [AppEntry(1, " \x01 ")],
    ],
)
def test_lists_that_clients_throw_on_are_our_own_mistake(apps):
    with pytest.raises(LocalProtocolError):
        build_applist(apps)


def test_ids_are_stable_for_ever():
    assert stable_app_id("Desktop", ()) == 1188838456
    assert stable_app_id("Steam", ()) == stable_app_id("Steam", {1, 2, 3})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=12), max_size=12, unique=True))
def test_ids_fit_31_bits_and_never_collide(names):
    taken: set[int] = set()
    for name in names:
        app_id = stable_app_id(name, taken)
        assert 1 <= app_id <= 0x7FFFFFFF
        assert app_id not in taken
        taken.add(app_id)


def test_a_collision_is_stepped_over_the_same_way_each_time():
    first = stable_app_id("Game", ())
    second = stable_app_id("Game", {first})
    assert second != first
    assert second == stable_app_id("Game", {first})
    assert stable_app_id("Game", {first, second}) not in {first, second}
