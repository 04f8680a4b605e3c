"""``punktfunk bench``: the flags of each benchmark. What they do stands in ``punktfunk.commands.bench``.

Nothing heavy is imported before a verb runs. Values are checked by ``punktfunk.measure.options``.
"""

from pathlib import Path
from typing import Annotated

import typer

bench = typer.Typer(
    help="Measure this machine: fec, seal, ring, send, frame, throughput, session, displays. Ratios are "
    "paired, with intervals and floors.",
    epilog="Baseline and ours take turns in every round, order flipped; a ratio is the median over the "
    "rounds of baseline's time over ours, with its 95 % bootstrap interval. Trust it more than single "
    "numbers, and minima more than medians on a busy machine. A floor is what punktfunk must reach; "
    'a question mark beside it says that it lies inside the interval, and "control too" that a control '
    "without punktfunk, in the same run, missed it as well.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def whole_number(text: str | int) -> int:
    """Read a flag's value; typer, which catches the BadParameter, puts the flag's name before it."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number") from None


Modes = Annotated[
    list[str] | None,
    typer.Option(
        "--mode",
        metavar="avx2|ssse3|...",
        help="SIMD mode, each in a process of its own. May be repeated. Otherwise the best of this CPU.",
    ),
]
Rounds = Annotated[int, typer.Option(metavar="N", parser=whole_number, help="Turns that each pair takes.")]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Also write the rows, with machine, date and command."),
]
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.png", help="Also draw them. Needs punktfunk[bench] (matplotlib)."),
]


@bench.command()
def fec(
    *,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="gf16|gf8", help="Which code. May be repeated; otherwise both."),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA:PARITY", help="Shards of a block. May be repeated."),
    ] = None,
    shard_bytes: Annotated[
        int, typer.Option(metavar="BYTES", parser=whole_number, help="Size of a shard.")
    ] = 1408,
    losses: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N", parser=whole_number, help="Data shards that are lost when decoding. May be repeated."
        ),
    ] = None,
    decoder: Annotated[
        str,
        typer.Option(
            metavar="auto|direct|cauchy|transposed|full",
            help="How GF(2^16) is decoded; auto asks the cost model.",
        ),
    ] = "auto",
    rounds: Rounds = 40,
    mode: Modes = None,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure the erasure codes: parity and repair of a block of shards.

    GF(2^16) is Leopard's code, which punktfunk/1 uses, against memcpy of the same data and against
    reed-solomon-leopard (a Rust crate) called from Python. GF(2^8) is GameStream's, against memcpy and
    against its own matrix kernel. Every result is checked before it is timed.

    \b
    Examples:
      punktfunk bench fec
      punktfunk bench fec --field gf16 --shape 20:4 --shape 200:40 --mode avx2 --mode ssse3
      punktfunk bench fec --field gf16 --shape 1000:200 --losses 50 --decoder full --plot full.png
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import FIELDS, FecOptions, parse_shape

    shapes = tuple(parse_shape(text) for text in shape or ())
    fields = tuple(field or FIELDS)
    options = FecOptions(fields, shapes, tuple(losses or ()), shard_bytes, decoder, rounds)
    bench("fec", options, mode or (), Outputs(json_file, plot_file))


@bench.command()
def seal(
    *,
    text_bytes: Annotated[
        list[int] | None,
        typer.Option(
            "--bytes",
            metavar="BYTES",
            parser=whole_number,
            help="What is encrypted of a packet. May be repeated.",
        ),
    ] = None,
    cipher: Annotated[
        list[str] | None,
        typer.Option(metavar="aes-128-gcm|chacha20-poly1305", help="May be repeated; otherwise both."),
    ] = None,
    implementation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="auto|evp|aesni|vaes", help="May be repeated; auto measures all that this CPU has."
        ),
    ] = None,
    rounds: Rounds = 40,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure authenticated encryption of a batch of packets, against `cryptography` called for each.

    evp is OpenSSL's libcrypto called from inside a kernel; aesni and vaes are kernels of punktfunk's own.

    \b
    Examples:
      punktfunk bench seal
      punktfunk bench seal --bytes 1408 --bytes 256 --cipher aes-128-gcm --implementation evp
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import CIPHERS, SealOptions

    options = SealOptions(
        tuple(text_bytes or (1408,)), tuple(cipher or CIPHERS), tuple(implementation or ("auto",)), rounds
    )
    bench("seal", options, (), Outputs(json_file, plot_file))


@bench.command()
def ring(
    *,
    items: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Items that go from thread to thread.")
    ] = 5_000_000,
    wakes: Annotated[
        int,
        typer.Option(metavar="N", parser=whole_number, help="Wake-ups that are timed, one a millisecond."),
    ] = 2000,
    priority: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="SCHED_FIFO priority; 0 asks for none.")
    ] = 20,
    rounds: Annotated[int, typer.Option(metavar="N", parser=whole_number, help="Runs of all items.")] = 5,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure rings between two threads of kernels, and how fast a sleeping one wakes. Takes two cores.

    \b
    Examples:
      punktfunk bench ring
      punktfunk bench ring --wakes 10000 --priority 0 --plot wakes.png
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import RingOptions

    bench("ring", RingOptions(items, wakes, rounds, priority), (), Outputs(json_file, plot_file))


@bench.command()
def send(
    *,
    datagram_bytes: Annotated[
        int,
        typer.Option("--bytes", metavar="BYTES", parser=whole_number, help="Size of a datagram's payload."),
    ] = 1400,
    batch: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Datagrams in one call, 2 to 64.")
    ] = 46,
    receive: Annotated[
        bool, typer.Option("--receive", help="Have a thread receive what it can, with UDP_GRO.")
    ] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", help="By ::1 instead of 127.0.0.1.")] = False,
    rounds: Rounds = 40,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure UDP over loopback: segmentation offload, sendmmsg and sendmsg, against Python's sendto.

    Nobody reads the receiving socket (but see --receive), so its buffer is full: what is timed is the sender.

    \b
    Examples:
      punktfunk bench send
      punktfunk bench send --bytes 1200 --batch 16
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import SendOptions

    options = SendOptions(datagram_bytes, batch, rounds, receive, ipv6)
    bench("send", options, (), Outputs(json_file, plot_file))


@bench.command()
def frame(
    *,
    frame_bytes: Annotated[
        int, typer.Option("--bytes", metavar="BYTES", parser=whole_number, help="Size of a frame.")
    ] = 700_000,
    rate: Annotated[int, typer.Option(metavar="HZ", parser=whole_number, help="Frames a second.")] = 240,
    frames: Annotated[int, typer.Option(metavar="N", parser=whole_number, help="How many.")] = 960,
    percent: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Parity in percent of the data shards.")
    ] = 20,
    protocol: Annotated[
        str, typer.Option(metavar="punktfunk|gamestream", help="GF(2^16) or GF(2^8); both encrypted.")
    ] = "punktfunk",
    hog: Annotated[
        bool, typer.Option("--hog/--no-hog", help="Keep a Python thread busy beside it, for the GIL.")
    ] = True,
    priority: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="SCHED_FIFO priority; 0 asks for none.")
    ] = 20,
    cpu: Annotated[
        int,
        typer.Option(
            metavar="N", parser=whole_number, help="CPU to pin the sending thread to; -1 is the last."
        ),
    ] = -1,
    rounds: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Turns against the sender in Python.")
    ] = 60,
    mode: Modes = None,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure whole frames: parity, headers, encryption and sending, at a rate, by the host's own thread.

    Parts of the stream take turns with a control: a thread of the same rights that only reads the clock, as
    long as a frame takes. What is late there too, the machine held up.

    Then the same stages for each packet in Python (reed-solomon-leopard, cryptography, sendto), in turns.

    \b
    Examples:
      punktfunk bench frame
      punktfunk bench frame --bytes 60000 --rate 120 --no-hog --priority 0
      punktfunk bench frame --protocol gamestream --mode avx2 --mode ssse3 --plot frames.png
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import FrameOptions

    options = FrameOptions(frame_bytes, rate, frames, percent, protocol, hog, priority, cpu, rounds)
    bench("frame", options, mode or (), Outputs(json_file, plot_file))


@bench.command()
def throughput(
    *,
    rate: Annotated[
        int, typer.Option(metavar="MBPS", parser=whole_number, help="Of access units, in Mbit/s.")
    ] = 1400,
    refresh: Annotated[int, typer.Option(metavar="HZ", parser=whole_number, help="Frames a second.")] = 240,
    percent: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Parity in percent of the data shards.")
    ] = 20,
    loss: Annotated[
        float, typer.Option(metavar="PERCENT", help="Of the datagrams, thrown away in the receiver.")
    ] = 1.0,
    seconds: Annotated[int, typer.Option(metavar="S", parser=whole_number, help="How long.")] = 5,
    highest: Annotated[
        bool, typer.Option("--highest/--no-highest", help="Also look for the highest clean rate.")
    ] = True,
    priority: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="SCHED_FIFO priority; 0 asks for none.")
    ] = 20,
    mode: Modes = None,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure punktfunk/1 from the host's sender to the client's receiver, over loopback, sealed and whole.

    Both threads live as in a session, each pinned to a CPU. Every byte of every frame is compared.

    \b
    Examples:
      punktfunk bench throughput
      punktfunk bench throughput --seconds 60 --no-highest
      punktfunk bench throughput --rate 300 --refresh 120 --loss 3 --percent 30
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import ThroughputOptions

    options = ThroughputOptions(rate, refresh, percent, loss, seconds, highest, priority)
    bench("throughput", options, mode or (), Outputs(json_file, plot_file))


@bench.command()
def session(
    *,
    seconds: Annotated[
        int, typer.Option(metavar="S", parser=whole_number, help="How long each stream is watched.")
    ] = 20,
    changes: Annotated[int, typer.Option(metavar="N", parser=whole_number, help="Changes of the mode.")] = 12,
    series: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Series of eight clock rounds.")
    ] = 60,
    flood_rounds: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Turns of five seconds with each flood.")
    ] = 3,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure whole sessions of punktfunk/1: a host and a client in two processes, as users have them.

    Capture to reassembled, mode changes, the clock's error (between two network namespaces where root runs
    this), input, and a stream beside a flood of handshakes. Takes three minutes.

    \b
    Examples:
      punktfunk bench session
      punktfunk bench session --seconds 5 --changes 4 --flood-rounds 1
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import SessionOptions

    options = SessionOptions(seconds, changes, series, flood_rounds)
    bench("session", options, (), Outputs(json_file, plot_file))
