"""The placeholder and pictures from files."""

import zlib
from struct import unpack

from punktfunk.control.gamestream.box_art import MAXIMUM_IMAGE_BYTES, build_placeholder, read_image


def chunks(png):
    position = 8
    while position < len(png):
        length, kind = unpack(">I4s", png[position : position + 8])
        data = png[position + 8 : position + 8 + length]
        (check,) = unpack(">I", png[position + 8 + length : position + 12 + length])
        assert check == zlib.crc32(kind + data)
        yield kind, data
        position += 12 + length


def test_the_placeholder_is_a_png_of_a_size_that_clients_know():
    found = list(chunks(build_placeholder()))
    assert [kind for kind, _ in found] == [b"IHDR", b"IDAT", b"IEND"]
    assert unpack(">II", found[0][1][:8]) == (130, 180)
    assert len(zlib.decompress(found[1][1])) == 180 * (1 + 130 * 3)
    assert len(build_placeholder()) < 4096


def test_files(tmp_path):
    picture, other = tmp_path / "a.png", tmp_path / "b.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n and so on")
    assert read_image(picture) == picture.read_bytes()
    for bad in (b"GIF89a", b"", b"\x89PNG\r\n\x1a\n" + bytes(MAXIMUM_IMAGE_BYTES)):
        other.write_bytes(bad)
        assert read_image(other) == build_placeholder()
    for path in (None, tmp_path, tmp_path / "missing.png"):
        assert read_image(path) == build_placeholder()
