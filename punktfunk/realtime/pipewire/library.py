"""libpipewire-0.3, opened at run time: its functions, structures and constants.

Declarations are those of PipeWire's headers (src/pipewire/{loop,context,core,proxy,stream}.h,
src/pipewire/extensions/metadata.h, spa/include/spa/{utils/hook,support/loop,buffer/buffer}.h), which keep
their layout since 0.3.0: structures of functions only grow at their end.
"""

import os
from functools import cache
from typing import Any, Final

from cffi import FFI

from punktfunk.errors import EnvironmentProblem

LIBRARY_NAME: Final = "libpipewire-0.3.so.0"

INSTALL_HINT: Final = (
    "Install PipeWire's library: libpipewire-0.3-0 (Debian, Ubuntu), pipewire-libs (Fedora), "
    "libpipewire (Arch)."
)

ANY_ID: Final = 0xFFFFFFFF
"""PW_ID_ANY."""

_FUNCTIONS: Final = """
void pw_init(int *, char ***);
const char *pw_get_library_version(void);
void pw_log_set_level(int);

struct spa_callbacks { const void *funcs; void *data; };
struct spa_interface { const char *type; uint32_t version; struct spa_callbacks cb; };
struct spa_list { struct spa_list *next, *prev; };
struct spa_hook {
  struct spa_list link; struct spa_callbacks cb; void (*removed)(struct spa_hook *); void *priv;
};
struct spa_dict_item { const char *key; const char *value; };
struct spa_dict { uint32_t flags; uint32_t n_items; const struct spa_dict_item *items; };

struct pw_loop { void *system; void *loop; struct spa_interface *control; void *utils; };
struct spa_loop_control_methods {
  uint32_t version;
  int (*get_fd)(void *);
  void (*add_hook)(void *, struct spa_hook *, const void *, void *);
  void (*enter)(void *);
  void (*leave)(void *);
  int (*iterate)(void *, int);
};
struct pw_loop *pw_loop_new(const void *);
void pw_loop_destroy(struct pw_loop *);

void *pw_properties_new_dict(const struct spa_dict *);
void *pw_context_new(struct pw_loop *, void *properties, size_t);
void pw_context_destroy(void *);
struct spa_interface *pw_context_connect_fd(void *, int fd, void *properties, size_t);
int pw_core_disconnect(void *);
void pw_proxy_destroy(void *);
void pw_proxy_add_object_listener(void *, struct spa_hook *, const void *, void *);

struct pw_core_methods {
  uint32_t version;
  int (*add_listener)(void *, struct spa_hook *, const void *, void *);
  int (*hello)(void *, uint32_t);
  int (*sync)(void *, uint32_t, int);
  int (*pong)(void *, uint32_t, int);
  int (*error)(void *, uint32_t, int, int, const char *);
  struct spa_interface *(*get_registry)(void *, uint32_t, size_t);
  void *(*create_object)(void *, const char *, const char *, uint32_t, const struct spa_dict *, size_t);
  int (*destroy)(void *, void *);
};
struct pw_core_events {
  uint32_t version;
  void (*info)(void *, const void *);
  void (*done)(void *, uint32_t, int);
  void (*ping)(void *, uint32_t, int);
  void (*error)(void *, uint32_t, int, int, const char *);
  void (*remove_id)(void *, uint32_t);
  void (*bound_id)(void *, uint32_t, uint32_t);
  void (*add_mem)(void *, uint32_t, uint32_t, int, uint32_t);
  void (*remove_mem)(void *, uint32_t);
};
struct pw_registry_methods {
  uint32_t version;
  int (*add_listener)(void *, struct spa_hook *, const void *, void *);
  struct spa_interface *(*bind)(void *, uint32_t, const char *, uint32_t, size_t);
  int (*destroy)(void *, uint32_t);
};
struct pw_registry_events {
  uint32_t version;
  void (*global)(void *, uint32_t, uint32_t, const char *, uint32_t, const struct spa_dict *);
  void (*global_remove)(void *, uint32_t);
};
struct pw_metadata_methods {
  uint32_t version;
  int (*add_listener)(void *, struct spa_hook *, const void *, void *);
  int (*set_property)(void *, uint32_t, const char *, const char *, const char *);
  int (*clear)(void *);
};
struct pw_metadata_events {
  uint32_t version;
  int (*property)(void *, uint32_t, const char *, const char *, const char *);
};

struct spa_chunk { uint32_t offset; uint32_t size; int32_t stride; int32_t flags; };
struct spa_data {
  uint32_t type; uint32_t flags; int64_t fd; uint32_t mapoffset; uint32_t maxsize; void *data;
  struct spa_chunk *chunk;
};
struct spa_meta { uint32_t type; uint32_t size; void *data; };
struct spa_buffer { uint32_t n_metas; uint32_t n_datas; struct spa_meta *metas; struct spa_data *datas; };
struct pw_buffer { struct spa_buffer *buffer; void *user_data; uint64_t size; uint64_t requested; };
struct pw_stream_events {
  uint32_t version;
  void (*destroy)(void *);
  void (*state_changed)(void *, int, int, const char *);
  void (*control_info)(void *, uint32_t, const void *);
  void (*io_changed)(void *, uint32_t, void *, uint32_t);
  void (*param_changed)(void *, uint32_t, const void *);
  void (*add_buffer)(void *, struct pw_buffer *);
  void (*remove_buffer)(void *, struct pw_buffer *);
  void (*process)(void *);
  void (*drained)(void *);
  void (*command)(void *, const void *);
  void (*trigger_done)(void *);
};
void *pw_stream_new(void *, const char *, void *properties);
void pw_stream_destroy(void *);
void pw_stream_add_listener(void *, struct spa_hook *, const struct pw_stream_events *, void *);
int pw_stream_connect(void *, int direction, uint32_t target, int flags, const void **params, uint32_t);
int pw_stream_update_params(void *, const void **params, uint32_t);
struct pw_buffer *pw_stream_dequeue_buffer(void *);
int pw_stream_queue_buffer(void *, struct pw_buffer *);
int pw_stream_set_active(void *, _Bool);
uint32_t pw_stream_get_node_id(void *);
int pw_stream_disconnect(void *);
int pw_stream_trigger_process(void *);
"""

ffi: Final = FFI()
ffi.cdef(_FUNCTIONS)


@cache
def library() -> Any:
    """Open the library, once; EnvironmentProblem names the package where it is missing."""
    try:
        opened = ffi.dlopen(LIBRARY_NAME)
    except OSError as error:
        raise EnvironmentProblem(f"{LIBRARY_NAME} cannot be opened: {error}", hint=INSTALL_HINT) from error
    opened.pw_init(ffi.NULL, ffi.NULL)
    if "PIPEWIRE_DEBUG" not in os.environ:
        opened.pw_log_set_level(0)  # else it writes to stderr by itself what we tell as errors of our own
    return opened


def library_version() -> str:
    """Tell the version of the library that runs here; EnvironmentProblem where there is none."""
    return text(library().pw_get_library_version())


def text(words: Any) -> str:
    """Read a C string; empty for NULL."""
    return ffi.string(words).decode("utf-8", "replace") if words != ffi.NULL else ""


def dictionary(properties: dict[str, str]) -> tuple[Any, list[Any]]:
    """Make a ``struct spa_dict``, and what must live as long as it."""
    words = [
        (ffi.new("char[]", key.encode()), ffi.new("char[]", value.encode()))
        for key, value in properties.items()
    ]
    items = ffi.new("struct spa_dict_item[]", max(1, len(words)))
    for item, (key, value) in zip(items, words, strict=False):
        item.key, item.value = key, value
    made = ffi.new("struct spa_dict *", {"flags": 0, "n_items": len(words), "items": items})
    return made, [words, items]


def read_dictionary(given: Any) -> dict[str, str]:
    """Read a ``const struct spa_dict *``; empty for NULL."""
    if given == ffi.NULL:
        return {}
    return {text(given.items[i].key): text(given.items[i].value) for i in range(given.n_items)}


def new_properties(properties: dict[str, str]) -> Any:
    """Make ``struct pw_properties``, which belong to the function that they are given to."""
    made, kept = dictionary(properties)
    result = library().pw_properties_new_dict(made)
    del kept
    return result
