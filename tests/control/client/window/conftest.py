import os

import pytest

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")


@pytest.fixture(scope="module")
def lib():
    """SDL with drivers that need no device, for the module's tests."""
    from punktfunk.control.client.window.sdl import sdl

    loaded = sdl()
    assert not loaded.SDL_Init(loaded.SDL_INIT_VIDEO | loaded.SDL_INIT_AUDIO | loaded.SDL_INIT_GAMECONTROLLER)
    yield loaded
    loaded.SDL_Quit()
