import io
import logging

import pytest

from punktfunk.log import printable, quoted, set_up_logging


@pytest.fixture
def lines():
    stream = io.StringIO()
    root, ours = logging.getLogger(), logging.getLogger("punktfunk")
    before = (list(root.handlers), root.level, ours.level)
    set_up_logging("info", stream)
    yield lambda: stream.getvalue().splitlines()
    root.handlers[:], _, _ = before
    root.setLevel(before[1])
    ours.setLevel(before[2])


def test_one_line_per_record_with_pairs_at_the_end(lines):
    logging.getLogger("punktfunk.control.trust").info(
        "client paired address=%s", "192.168.1.7", extra={"client": "Living room", "frames": 3}
    )
    (line,) = lines()
    assert line[2] == line[5] == ":"
    assert line[12:] == ' info trust client paired address=192.168.1.7 client="Living room" frames=3'


def test_a_device_name_cannot_forge_a_line(lines):
    logging.getLogger("punktfunk").warning("client %s", "x\n12:00 info host paired\x1b[2K\u202e")
    (line,) = lines()
    assert line.endswith(r"client x\n12:00 info host paired\x1b[2K\u202e")


def test_details_and_libraries_stay_out_unless_asked_for(lines):
    logging.getLogger("punktfunk.x").debug("detail")
    logging.getLogger("hypercorn.error").info("chatter")
    assert lines() == []


def test_setting_up_again_replaces_the_first(lines):
    other = io.StringIO()
    set_up_logging("debug", other)
    logging.getLogger("punktfunk.x").debug("detail")
    assert lines() == []
    assert "detail" in other.getvalue()


def test_tracebacks_follow_their_line(lines):
    try:
        int("wrong")
    except ValueError:
        logging.getLogger("punktfunk.x").exception("failed")
    assert "failed" in lines()[0]
    assert lines()[-1] == "ValueError: invalid literal for int() with base 10: 'wrong'"


@pytest.mark.parametrize(
    ("value", "text"),
    [("plain", "plain"), ("two words", '"two words"'), ('a"b', '"a\\"b"'), ("", '""'), (3, "3")],
)
def test_values_are_quoted_only_where_needed(value, text):
    assert quoted(value) == text


def test_ordinary_text_of_any_language_is_left_alone():
    assert printable("Küche, 居間") == "Küche, 居間"
