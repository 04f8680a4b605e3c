"""Keymaps by libxkbcommon, bound with cffi in ABI mode: no compiler, no headers.

Key codes are evdev's everywhere here; XKB's are 8 higher.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cffi

from punktfunk.control.input.host_layout import LayoutNames
from punktfunk.errors import EnvironmentProblem

XKB_OFFSET = 8
HIGHEST_CODE = 247
TEXT_V1 = 1
MODIFIER_STATES = (1, 2, 4)  # depressed, latched, locked
LAYOUT_EFFECTIVE = 128
LEVEL_COUNT = 4
RETURN, TAB, BACKSPACE = 0xFF0D, 0xFF09, 0xFF08
CONTROL_KEYSYMS = {"\n": RETURN, "\r": RETURN, "\t": TAB, "\b": BACKSPACE}

DECLARATIONS = """
struct xkb_context; struct xkb_keymap; struct xkb_state;
struct xkb_rule_names { const char *rules, *model, *layout, *variant, *options; };
struct xkb_context *xkb_context_new(int flags);
void xkb_context_unref(struct xkb_context *context);
struct xkb_keymap *xkb_keymap_new_from_names(struct xkb_context *, const struct xkb_rule_names *, int flags);
struct xkb_keymap *xkb_keymap_new_from_string(struct xkb_context *, const char *, int format, int flags);
char *xkb_keymap_get_as_string(struct xkb_keymap *, int format);
void xkb_keymap_unref(struct xkb_keymap *);
uint32_t xkb_keymap_num_levels_for_key(struct xkb_keymap *, uint32_t key, uint32_t layout);
int xkb_keymap_key_get_syms_by_level(
    struct xkb_keymap *, uint32_t key, uint32_t layout, uint32_t level, const uint32_t **syms);
size_t xkb_keymap_key_get_mods_for_level(
    struct xkb_keymap *, uint32_t key, uint32_t layout, uint32_t level, uint32_t *masks, size_t size);
struct xkb_state *xkb_state_new(struct xkb_keymap *);
void xkb_state_unref(struct xkb_state *);
int xkb_state_update_key(struct xkb_state *, uint32_t key, int direction);
uint32_t xkb_state_serialize_mods(struct xkb_state *, int components);
uint32_t xkb_state_serialize_layout(struct xkb_state *, int components);
uint32_t xkb_utf32_to_keysym(uint32_t ucs);
void free(void *);
"""


@cache
def _library() -> tuple[Any, Any]:
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS)
    try:
        return ffi, ffi.dlopen("libxkbcommon.so.0")
    except OSError as error:
        raise EnvironmentProblem(
            "libxkbcommon.so.0 is not installed", hint="Install the package libxkbcommon0 (or libxkbcommon)."
        ) from error


@dataclass(frozen=True, slots=True)
class ModifierState:
    """What the compositor must be told after each key."""

    depressed: int
    latched: int
    locked: int
    group: int


@dataclass(frozen=True, slots=True)
class Stroke:
    """One way to type a character: a key, and the modifiers that must be down."""

    code: int
    modifiers: int


class Keymap:
    """A compiled keymap, the state of its modifiers, and where its characters are (first layout)."""

    def __init__(self, keymap: Any, context: Any) -> None:
        ffi, library = _library()
        self._context = ffi.gc(context, library.xkb_context_unref)
        self._keymap = ffi.gc(keymap, library.xkb_keymap_unref)
        self._state = ffi.gc(library.xkb_state_new(keymap), library.xkb_state_unref)
        text = library.xkb_keymap_get_as_string(keymap, TEXT_V1)
        self.text: bytes = ffi.string(text)
        library.free(text)
        self._strokes = self._find_strokes()

    def update(self, code: int, *, pressed: bool) -> None:
        """Tell the state that a key went down or up."""
        _ffi, library = _library()
        library.xkb_state_update_key(self._state, code + XKB_OFFSET, int(pressed))

    def modifiers(self) -> ModifierState:
        """Return the state of the modifiers after the keys so far."""
        _ffi, library = _library()
        depressed, latched, locked = (
            int(library.xkb_state_serialize_mods(self._state, component)) for component in MODIFIER_STATES
        )
        group = int(library.xkb_state_serialize_layout(self._state, LAYOUT_EFFECTIVE))
        return ModifierState(depressed, latched, locked, group)

    def stroke(self, character: str) -> Stroke | None:
        """Find how to type a character; None if the keymap does not have it."""
        return self._strokes.get(keysym_of(character))

    def _find_strokes(self) -> dict[int, Stroke]:
        """Map each keysym to its cheapest stroke: lowest level first, then lowest code."""
        ffi, library = _library()
        symbols, masks = ffi.new("const uint32_t **"), ffi.new("uint32_t[4]")
        found: dict[int, Stroke] = {}
        for level in range(LEVEL_COUNT):
            for code in range(1, HIGHEST_CODE + 1):
                key = code + XKB_OFFSET
                if level >= library.xkb_keymap_num_levels_for_key(self._keymap, key, 0):
                    continue
                if library.xkb_keymap_key_get_syms_by_level(self._keymap, key, 0, level, symbols) != 1:
                    continue
                if library.xkb_keymap_key_get_mods_for_level(self._keymap, key, 0, level, masks, 4) > 0:
                    found.setdefault(int(symbols[0][0]), Stroke(code, int(masks[0])))
        return found


def keysym_of(character: str) -> int:
    """Return the keysym of a character (0: it has none); line feed is Return, as on a keyboard."""
    _ffi, library = _library()
    return CONTROL_KEYSYMS.get(character) or int(library.xkb_utf32_to_keysym(ord(character)))


def compile_names(names: LayoutNames) -> Keymap:
    """Compile the keymap of a layout; EnvironmentProblem if XKB does not know it."""
    ffi, library = _library()
    context = library.xkb_context_new(0)
    # The strings must outlive the call: cffi frees what nothing refers to.
    model, layout, variant, options = (
        ffi.new("char[]", part.encode()) for part in (names.model, names.layout, names.variant, names.options)
    )
    rules = ffi.new("struct xkb_rule_names *", {"model": model, "layout": layout, "variant": variant})
    rules.options = options
    keymap = library.xkb_keymap_new_from_names(context, rules, 0)
    if keymap == ffi.NULL:
        library.xkb_context_unref(context)
        raise EnvironmentProblem(
            f"XKB has no layout {names.layout!r} {names.variant!r} ({names.origin})",
            hint="Install xkb-data, or correct the layout.",
        )
    return Keymap(keymap, context)


def compile_text(text: bytes) -> Keymap | None:
    """Compile a keymap that a compositor sent; None if it does not compile."""
    ffi, library = _library()
    context = library.xkb_context_new(0)
    keymap = library.xkb_keymap_new_from_string(context, ffi.new("char[]", text), TEXT_V1, 0)
    if keymap == ffi.NULL:
        library.xkb_context_unref(context)
        return None
    return Keymap(keymap, context)


def build_text_keymap(characters: list[str], codes: tuple[int, ...]) -> bytes:
    """Write a keymap whose key ``codes[i]`` types ``characters[i]``; the compositor includes the rest."""
    pairs = list(zip(codes, characters, strict=False))
    names = "".join(f"<T{code}> = {code + XKB_OFFSET};" for code, _ in pairs)
    symbols = "".join(f"key <T{code}> {{[{keysym_of(character):#x}]}};" for code, character in pairs)
    return (
        f'xkb_keymap {{ xkb_keycodes "text" {{ minimum = 8; maximum = 255; {names} }};'
        f' xkb_types "text" {{ include "complete" }}; xkb_compatibility "text" {{ include "complete" }};'
        f' xkb_symbols "text" {{ {symbols} }}; }};'
    ).encode()
