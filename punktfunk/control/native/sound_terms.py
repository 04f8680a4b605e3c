"""What the sound of a session shall be: codec, layout, rate, and whether each packet carries the one before.

Sound may take 5 % of the video rate, 96 kbit/s in any case. The first that fits of this ladder is taken:

    high twice, high, standard twice, standard, low        kbit/s    low  standard  high  uncoupled
                                                           stereo     96       128   256
    "Twice" has the packet before in every packet, and     5.1       192       256   448       1536
    costs as much: a lost datagram is then not heard.      7.1       320       450   768       2048

Uncoupled streams and PCM are for clients that ask for them, on lines where they are no burden: within 5 % the
former, within 25 % the latter. A client never gets a lesser PCM than it asked for, rather Opus. Spec:
punktfunk-1 section 2.10.
"""

from typing import Final, NamedTuple

from punktfunk.control.native.terms import AudioTerms
from punktfunk.plan import AudioSource, NativeAudioPlan
from punktfunk.wire.native.capabilities import (
    NO_HOST_CAPS,
    AudioCodec,
    AudioLayout,
    ClientCap,
    HostCap,
)
from punktfunk.wire.native.handshake import Hello
from punktfunk.wire.native.welcome import AUDIO_RATES_HZ

SHARE_PERCENT: Final = 5
LEAST_KBPS: Final = 96
PCM_SHARE_PERCENT: Final = 25
OPUS_FRAME_US: Final = 5000
OPUS_RATE_HZ: Final = 48_000
PCM_FRAMES_US: Final = (5000, 4000, 3000, 2500, 2000, 1500, 1000)
"""Longest first: fewer datagrams, of which each costs as much as the next."""
HEADER_BYTES: Final = 13
"""Tag, sequence and time in front of the sound of a datagram; a copy needs two more for the length."""
COPY_HEADER_BYTES: Final = 15
SPARE_BYTES: Final = 16


class _Rates(NamedTuple):
    low_kbps: int
    standard_kbps: int
    high_kbps: int
    uncoupled_kbps: int


RATES: Final = {
    2: _Rates(96, 128, 256, 0),
    6: _Rates(192, 256, 448, 1536),
    8: _Rates(320, 450, 768, 2048),
}


def agree_on_sound(
    hello: Hello, budget_kbps: int, datagram_bytes: int, *, allow_pcm: bool = True
) -> AudioTerms:
    """Choose for a Hello (what it wants, what it can) within the session's budget and its datagrams' size."""
    if allow_pcm and hello.client_caps & ClientCap.HIRES_AUDIO:
        pcm = _pcm(hello, budget_kbps, datagram_bytes)
        if pcm is not None:
            return pcm
    rates = RATES[hello.audio_channels]
    share_kbps = max(LEAST_KBPS, budget_kbps * SHARE_PERCENT // 100)
    surround = hello.audio_channels > 2
    if surround and hello.audio_layout == AudioLayout.UNCOUPLED and rates.uncoupled_kbps <= share_kbps:
        room_kbps = (datagram_bytes - HEADER_BYTES - SPARE_BYTES) * 8 * 1000 // OPUS_FRAME_US
        kbps = min(rates.uncoupled_kbps, room_kbps)
        return AudioTerms(channel_count=hello.audio_channels, layout=AudioLayout.UNCOUPLED, bitrate_kbps=kbps)
    copies = bool(hello.client_caps & ClientCap.REDUNDANT_AUDIO)
    kbps, twice = _ladder(rates, share_kbps, copies=copies)
    standard = surround and hello.audio_layout in {AudioLayout.STANDARD, AudioLayout.UNCOUPLED}
    return AudioTerms(
        channel_count=hello.audio_channels,
        layout=AudioLayout.STANDARD if standard else AudioLayout.LEGACY,
        host_caps=HostCap.REDUNDANT_AUDIO if twice else NO_HOST_CAPS,
        bitrate_kbps=kbps * 2 if twice else kbps,
    )


def sound_plan(terms: AudioTerms, source: AudioSource, datagram_bytes: int) -> NativeAudioPlan:
    """Plan the thread that makes what was agreed on."""
    twice = bool(terms.host_caps & HostCap.REDUNDANT_AUDIO)
    return NativeAudioPlan(
        source=source,
        channel_count=terms.channel_count,
        is_pcm=terms.codec == AudioCodec.PCM,
        rate_hz=terms.rate_hz,
        bits=terms.bits,
        frame_us=terms.frame_us or OPUS_FRAME_US,
        layout=terms.layout,
        bitrate_bps=terms.bitrate_kbps * 1000 // (2 if twice else 1),
        packet_bytes_max=datagram_bytes - HEADER_BYTES,
    )


def pcm_frame_us(rate_hz: int, bits: int, channel_count: int, datagram_bytes: int) -> int:
    """Return the longest frame whose samples fit one datagram; 0 where not even the shortest does."""
    room_bytes = datagram_bytes - HEADER_BYTES
    for frame_us in PCM_FRAMES_US:
        samples = -(-rate_hz * frame_us // 1_000_000)  # frames without whole samples take turns: the larger
        if samples * channel_count * (bits // 8) <= room_bytes:
            return frame_us
    return 0


def _pcm(hello: Hello, budget_kbps: int, datagram_bytes: int) -> AudioTerms | None:
    cost_kbps = hello.audio_rate_hz * hello.audio_bits * hello.audio_channels // 1000
    if hello.audio_rate_hz not in AUDIO_RATES_HZ or cost_kbps > budget_kbps * PCM_SHARE_PERCENT // 100:
        return None
    frame_us = pcm_frame_us(hello.audio_rate_hz, hello.audio_bits, hello.audio_channels, datagram_bytes)
    if not frame_us:
        return None
    return AudioTerms(
        channel_count=hello.audio_channels,
        codec=AudioCodec.PCM,
        rate_hz=hello.audio_rate_hz,
        bits=hello.audio_bits,
        frame_us=frame_us,
        host_caps=HostCap.HIRES_AUDIO,
        bitrate_kbps=cost_kbps,
    )


def _ladder(rates: _Rates, share_kbps: int, *, copies: bool) -> tuple[int, bool]:
    """Take the first step that fits: kilobits a second of one copy, and whether there are two."""
    for kbps in (rates.high_kbps, rates.standard_kbps):
        for twice in (True, False) if copies else (False,):
            if kbps * (2 if twice else 1) <= share_kbps:
                return kbps, twice
    return rates.low_kbps, False
