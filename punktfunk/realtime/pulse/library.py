"""libpulse without a compiler: what of it is used here, and what its numbers mean.

The declarations are those of libpulse's public headers (pulse/context.h, stream.h, introspect.h, def.h,
sample.h, channelmap.h); they have not changed since version 1.0.
"""

from functools import cache
from typing import Any, Final

from cffi import FFI

from punktfunk.errors import EnvironmentProblem

LIBRARY_NAME: Final = "libpulse.so.0"
INSTALL_HINT: Final = (
    "Install the package libpulse0 (Debian, Ubuntu), pulseaudio-libs (Fedora) or libpulse (Arch)."
)

CONTEXT_READY, CONTEXT_FAILED = 4, 5
STREAM_READY, STREAM_FAILED = 2, 3
NO_AUTOSPAWN: Final = 1
ADJUST_LATENCY: Final = 0x2000
DONT_MOVE: Final = 0x0200
FLOAT32_LE: Final = 5
INVALID: Final = 0xFFFFFFFF

_MONO, _FRONT_LEFT, _FRONT_RIGHT, _FRONT_CENTER, _REAR_LEFT, _REAR_RIGHT = 0, 1, 2, 3, 5, 6
_LFE, _SIDE_LEFT, _SIDE_RIGHT = 7, 10, 11
POSITIONS: Final = {
    1: (_MONO,),
    2: (_FRONT_LEFT, _FRONT_RIGHT),
    6: (_FRONT_LEFT, _FRONT_RIGHT, _FRONT_CENTER, _LFE, _REAR_LEFT, _REAR_RIGHT),
    8: (
        *(_FRONT_LEFT, _FRONT_RIGHT, _FRONT_CENTER, _LFE, _REAR_LEFT, _REAR_RIGHT),
        *(_SIDE_LEFT, _SIDE_RIGHT),
    ),
}
"""``enum pa_channel_position`` of each channel, in the order of both protocols."""
POSITION_NAMES: Final = {
    1: "mono",
    2: "front-left,front-right",
    6: "front-left,front-right,front-center,lfe,rear-left,rear-right",
    8: "front-left,front-right,front-center,lfe,rear-left,rear-right,side-left,side-right",
}

_DECLARATIONS: Final = """
typedef struct { int format; uint32_t rate; uint8_t channels; } pa_sample_spec;
typedef struct { uint8_t channels; int map[32]; } pa_channel_map;
typedef struct { uint32_t maxlength, tlength, prebuf, minreq, fragsize; } pa_buffer_attr;
typedef struct {
  const char *user_name, *host_name, *server_version, *server_name; pa_sample_spec sample_spec;
  const char *default_sink_name, *default_source_name; uint32_t cookie; pa_channel_map channel_map;
} pa_server_info;
typedef struct {
  uint32_t index; const char *name; const char *argument; uint32_t n_used; int auto_unload; void *proplist;
} pa_module_info;
void *pa_mainloop_new(void);
void pa_mainloop_free(void *);
void *pa_mainloop_get_api(void *);
int pa_mainloop_prepare(void *, int timeout_us);
int pa_mainloop_poll(void *);
int pa_mainloop_dispatch(void *);
const char *pa_strerror(int);
void *pa_context_new(void *api, const char *name);
int pa_context_connect(void *, const char *server, int flags, void *spawn);
void pa_context_disconnect(void *);
void pa_context_unref(void *);
int pa_context_get_state(void *);
int pa_context_errno(void *);
void *pa_context_load_module(void *, const char *, const char *, void (*)(void *, uint32_t, void *), void *);
void *pa_context_unload_module(void *, uint32_t, void (*)(void *, int, void *), void *);
void *pa_context_get_module_info_list(
  void *, void (*)(void *, const pa_module_info *, int, void *), void *);
void *pa_context_get_server_info(void *, void (*)(void *, const pa_server_info *, void *), void *);
void *pa_context_set_default_sink(void *, const char *, void (*)(void *, int, void *), void *);
void *pa_context_set_default_source(void *, const char *, void (*)(void *, int, void *), void *);
void pa_operation_unref(void *);
void *pa_stream_new(void *, const char *, const pa_sample_spec *, const pa_channel_map *);
int pa_stream_connect_record(void *, const char *, const pa_buffer_attr *, int);
int pa_stream_connect_playback(void *, const char *, const pa_buffer_attr *, int, void *, void *);
int pa_stream_get_state(void *);
int pa_stream_peek(void *, const void **, size_t *);
int pa_stream_drop(void *);
size_t pa_stream_writable_size(void *);
int pa_stream_write(void *, const void *, size_t, void *free_function, int64_t, int);
int pa_stream_disconnect(void *);
void pa_stream_unref(void *);
"""

ffi: Final = FFI()
ffi.cdef(_DECLARATIONS)


@cache
def library() -> Any:
    """Open the library, once; EnvironmentProblem names the package where it is missing."""
    try:
        return ffi.dlopen(LIBRARY_NAME)
    except OSError as error:
        raise EnvironmentProblem(f"{LIBRARY_NAME} cannot be opened: {error}", hint=INSTALL_HINT) from error


def text(words: Any) -> str:
    """Read a C string; empty for NULL."""
    return ffi.string(words).decode("utf-8", "replace") if words != ffi.NULL else ""
