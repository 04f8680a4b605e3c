"""GameStream video datagrams (UDP 47998). Mostly little-endian; the RTP fields are big-endian.

A shard is always P + 16 bytes, P being the negotiated packet size; the last data shard is padded with zeros.

    offset  size  field                meaning
    ------  ----  -------------------  ---------------------------------------------------------------
         0     1  rtp_version          0x90: RTP version 2, extension bit (the four bytes at 12)
         1     1  payload_type         0
         2     2  sequence         BE  one more per shard, parity too; runs over frames, wraps
         4     4  timestamp_90k    BE  90 kHz, the same in all shards of a frame
         8     4  ssrc                 0
        12     4  extension            0
        16     4  stream_packet_index  24-bit counter << 8: the unwrapped sequence
        20     4  frame_index          from 1, one more per frame
        24     1  flags                1 picture data, 2 end of block, 4 start of block
        25     1  extra_flags          1 long-term reference frame
        26     1  multi_fec_flags      0x10
        27     1  multi_fec_blocks     block_index << 4 | last_block_index << 6
        28     4  fec_info             data_count << 22 | shard_index << 12 | percent << 4
        32  P-16  payload              the frame: header below, access unit, zeros

The frame header is the first eight bytes of the frame's payload:

    offset  size  field                meaning
    ------  ----  -------------------  ---------------------------------------------------------------
         0     1  header_type          1
         1     2  latency_tenths_ms    host processing latency in 0.1 ms, 0 unknown
         3     1  frame_type           see plan.FrameType
         4     2  last_payload_bytes   bytes used in the frame's last data shard
         6     2  -                    0

With encryption agreed, every shard is AES-128-GCM ciphertext (no additional data) behind this prefix:

    offset  size  field                meaning
    ------  ----  -------------------  ---------------------------------------------------------------
         0    12  iv                   LE64 packet counter from 0, zeros, byte 11 = "V"
        12     4  frame_index          in clear, so that a client can drop late shards unopened
        16    16  tag
        32  P+16  ciphertext
"""

from struct import Struct
from typing import Final

RTP_HEADER_BYTES: Final = 16
NV_HEADER_BYTES: Final = 16
SHARD_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 8
ENCRYPTED_PREFIX_BYTES: Final = 32

OFFSET_RTP_VERSION: Final = 0
OFFSET_PAYLOAD_TYPE: Final = 1
OFFSET_SEQUENCE: Final = 2
OFFSET_TIMESTAMP: Final = 4
OFFSET_SSRC: Final = 8
OFFSET_EXTENSION: Final = 12
OFFSET_STREAM_PACKET_INDEX: Final = 16
OFFSET_FRAME_INDEX: Final = 20
OFFSET_FLAGS: Final = 24
OFFSET_EXTRA_FLAGS: Final = 25
OFFSET_MULTI_FEC_FLAGS: Final = 26
OFFSET_MULTI_FEC_BLOCKS: Final = 27
OFFSET_FEC_INFO: Final = 28
OFFSET_PAYLOAD: Final = 32

OFFSET_PREFIX_COUNTER: Final = 0
OFFSET_PREFIX_FIXED: Final = 11
OFFSET_PREFIX_FRAME_INDEX: Final = 12
OFFSET_PREFIX_TAG: Final = 16
PREFIX_FIXED_BYTE: Final = ord("V")
IV_BYTES: Final = 12
TAG_BYTES: Final = 16

OFFSET_FRAME_LATENCY: Final = 1
OFFSET_FRAME_TYPE: Final = 3
OFFSET_FRAME_LAST_PAYLOAD_BYTES: Final = 4
FRAME_HEADER_TYPE: Final = 0x01

RTP_VERSION: Final = 0x90
MULTI_FEC_FLAGS: Final = 0x10
FLAG_PICTURE: Final = 1
FLAG_END: Final = 2
FLAG_START: Final = 4
EXTRA_FLAG_LONG_TERM_REFERENCE: Final = 1

SHIFT_BLOCK_INDEX: Final = 4
SHIFT_LAST_BLOCK_INDEX: Final = 6
SHIFT_DATA_COUNT: Final = 22
SHIFT_SHARD_INDEX: Final = 12
SHIFT_PERCENT: Final = 4

MAX_BLOCK_COUNT: Final = 4
MAX_BLOCK_SHARDS: Final = 255
"""Data and parity together, where there is parity: GF(2^8) has no more rows."""
MAX_BARE_BLOCK_SHARDS: Final = 1023
MAX_FRAME_SHARDS: Final = MAX_BLOCK_COUNT * MAX_BARE_BLOCK_SHARDS
MAX_PERCENT: Final = 255

FRAME_HEADER: Final = Struct("<BHBHH")
