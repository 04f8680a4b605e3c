"""``punktfunk loss`` and its neighbours: what a network does to a stream. See docs/measuring.md.

Nothing heavy is imported before a verb runs. Values are checked where they are used.
"""

from pathlib import Path
from typing import Annotated

import typer

from punktfunk.cli_bench import whole_number


def share(text: str | float) -> float:
    """Read a number with or without a per cent sign."""
    try:
        return float(str(text).removesuffix("%").strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number") from None


def parity(text: str) -> str:
    """Read ``adaptive`` or a whole number of per cent."""
    if text != "adaptive":
        whole_number(text.removesuffix("%"))
    return text.removesuffix("%")


JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Also write everything as JSON.")
]
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.png", help="Also draw it. Needs punktfunk[bench] (matplotlib)."),
]


def loss(
    *,
    loss: Annotated[
        list[float] | None,
        typer.Option("--loss", metavar="PERCENT", parser=share, help="Packets lost. May be repeated."),
    ] = None,
    burst: Annotated[
        list[int] | None,
        typer.Option(
            "--burst",
            metavar="N",
            parser=whole_number,
            help="Mean length of a loss, in packets. May be repeated.",
        ),
    ] = None,
    reorder: Annotated[
        list[float] | None,
        typer.Option(
            "--reorder",
            metavar="PERCENT",
            parser=share,
            help="Packets 3 ms late, out of order. May be repeated.",
        ),
    ] = None,
    jitter: Annotated[
        list[float] | None,
        typer.Option(
            "--jitter", metavar="MS", parser=share, help="Delay that varies, in order. May be repeated."
        ),
    ] = None,
    rate: Annotated[
        list[int] | None,
        typer.Option(
            "--rate",
            metavar="KBIT",
            parser=whole_number,
            help="Limit in kbit/s, otherwise 100000; 0 is none. May be repeated.",
        ),
    ] = None,
    parities: Annotated[
        list[str] | None,
        typer.Option(
            "--parity",
            metavar="adaptive|PERCENT",
            parser=parity,
            help="adaptive follows the loss, as hosts do. May be repeated.",
        ),
    ] = None,
    bitrate: Annotated[
        int, typer.Option(metavar="KBIT", parser=whole_number, help="Of the stream, everything included.")
    ] = 20_000,
    hz: Annotated[int, typer.Option("--hz", metavar="N", parser=whole_number, help="Frames a second.")] = 60,
    scheme: Annotated[
        str, typer.Option(metavar="gf16|gf8", help="Field of the parity: blocks of 4096 shards or of 200.")
    ] = "gf16",
    shard_bytes: Annotated[
        int, typer.Option(metavar="BYTES", parser=whole_number, help="Payload of a packet.")
    ] = 1408,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="Let the client choose the bitrate, from --bitrate on.")
    ] = False,
    invalidate: Annotated[
        bool, typer.Option("--invalidate", help="The encoder repairs without a key frame.")
    ] = False,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Send frames in one go instead of over their interval.")
    ] = False,
    delay: Annotated[float, typer.Option(metavar="MS", parser=share, help="One way.")] = 5.0,
    queue: Annotated[
        float, typer.Option(metavar="MS", parser=share, help="What waits at a limited link at most.")
    ] = 100.0,
    seconds: Annotated[
        float, typer.Option(metavar="S", parser=share, help="Of stream for each case.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(metavar="N", parser=whole_number, help="Of everything random.")] = 1,
    by: Annotated[
        str, typer.Option(metavar="model|sockets|netem", help="How the network is made.")
    ] = "model",
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Send a stream through bad networks: what is lost, repaired and late, and what the repair costs.

    Every combination of what is given is a case. By model nothing is sent: a virtual clock runs the real
    block geometry, the receiver's rules and the adaptation over a simulated network, exactly and
    repeatably. By sockets the real sender and receiver talk through a relay of punktfunk's own; by netem
    through the kernel's (root, module sch_netem). "added" is against the same network without its faults.

    \b
    Examples:
      punktfunk loss
      punktfunk loss --loss 1 --loss 5 --burst 1 --burst 10 --parity adaptive --parity 25 --plot loss.png
      punktfunk loss --loss 0 --rate 12000 --rate 30000 --automatic --seconds 60
      punktfunk loss --by sockets --loss 5 --parity 25 --bitrate 50000 --json five-percent.json
    """
    from punktfunk.commands.loss import loss as run
    from punktfunk.measure.network.options import LossOptions

    given = LossOptions()
    options = LossOptions(
        losses=tuple(loss or given.losses),
        bursts=tuple(burst or given.bursts),
        reorders=tuple(reorder or given.reorders),
        jitters_ms=tuple(jitter or given.jitters_ms),
        rates_kbps=tuple(rate or given.rates_kbps),
        parities=tuple(None if text == "adaptive" else int(text) for text in parities or ("adaptive",)),
        bitrate_kbps=bitrate,
        refresh_hz=hz,
        scheme=scheme,
        shard_bytes=shard_bytes,
        automatic=automatic,
        invalidate=invalidate,
        smooth=not at_once,
        delay_ms=delay,
        queue_ms=queue,
        seconds=seconds,
        seed=seed,
        way=by,
    )
    run(options, json_file, plot_file)


def why_late(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Recordings of a host, a client or both; else the running host."),
    ] = None,
    *,
    worst: Annotated[int, typer.Option(metavar="N", parser=whole_number, help="Frames to explain.")] = 15,
    over: Annotated[
        float | None,
        typer.Option(
            metavar="MS", parser=share, help="What counts as late; otherwise half a frame interval."
        ),
    ] = None,
    trace_file: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE.json", help="Also write a trace for ui.perfetto.dev."),
    ] = None,
    save_file: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Keep the recording for later.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FOLDER", help="State folder of the host.")
    ] = None,
) -> None:
    """Say why the worst frames were late: capture, encode, queue, send, network, reassembly, decode, present.

    A host keeps the stamps of its last minutes' frames, always; a client writes its own with
    `punktfunk connect --flight FILE`. Both together show the whole way on one clock. A stage is to blame
    where it took longer than it usually does; "scheduling": a thread had work and was not run.

    \b
    Examples:
      punktfunk why-late
      punktfunk why-late --save host.json --worst 30
      punktfunk why-late host.json client.json --trace evening.json
    """
    from punktfunk.commands.why_late import why_late as run

    run(
        files or (),
        state,
        worst=worst,
        over_ms=over,
        trace_file=trace_file,
        save_file=save_file,
        as_json=as_json,
    )


def dissect(
    capture: Annotated[Path, typer.Argument(metavar="FILE", help="Of tcpdump or Wireshark: pcap or pcapng.")],
    *,
    secrets: Annotated[
        Path | None,
        typer.Option("--secrets", metavar="FILE", help="TLS secrets: opens QUIC, and by it the media."),
    ] = None,
    key: Annotated[str, typer.Option("--key", metavar="HEX", help="Of Welcome: opens the media only.")] = "",
    salt: Annotated[str, typer.Option("--salt", metavar="HEX", help="Of Welcome, beside --key.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Media was not encrypted (tests only).")] = False,
    packets: Annotated[
        bool, typer.Option("--packets", help="Also print every packet, not only messages and frames.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Print a captured punktfunk/1 session: its messages, its datagrams, its frames and what was lost.

    QUIC is encrypted for each connection: without a secrets file only its packets' kinds and sizes show. A
    host or a client started with SSLKEYLOGFILE=FILE writes one; whoever has it can read those sessions, so
    delete it afterwards. Keys, salts and clipboard contents are never printed.

    \b
    Examples:
      tcpdump -i any -w session.pcap udp
      punktfunk dissect session.pcap --secrets secrets.txt
      punktfunk dissect session.pcap --key 00112233445566778899aabbccddeeff --salt 01020304 --packets
    """
    from punktfunk.commands.dissect import DissectOptions
    from punktfunk.commands.dissect import dissect as run

    run(capture, DissectOptions(secrets, key, salt, clear=clear, packets=packets, as_json=as_json))


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; such as evening.pfnet.")],
    host: Annotated[str | None, typer.Argument(metavar="HOST", help="As for `punktfunk connect`.")] = None,
    *,
    seconds: Annotated[float, typer.Option(metavar="S", parser=share, help="0 goes on until Ctrl-C.")] = 60.0,
    mode: Annotated[
        str, typer.Option("--mode", metavar="WIDTHxHEIGHT@HZ", help="Picture to ask for.")
    ] = "1280x720@60",
    bitrate: Annotated[
        float,
        typer.Option(metavar="MBIT", parser=share, help="Megabits a second; 0 lets both sides find it."),
    ] = 0.0,
    pin: Annotated[str | None, typer.Option("--pin", metavar="PIN", help="Pair first.")] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FOLDER", help="Folder of this client's key.")
    ] = None,
) -> None:
    """Record when the packets of a session came and which did not: no picture, no sound, no address, no date.

    A bad evening becomes a file that can be sent with a report, and that `punktfunk replay` plays back the
    same each time. It connects as a client of its own, without a window. About 3 MB a minute at 20 Mbit/s.

    \b
    Examples:
      punktfunk record evening.pfnet
      punktfunk record evening.pfnet desk --seconds 300 --mode 1920x1080@60
    """
    from punktfunk.commands.connect import Wishes
    from punktfunk.commands.network import record as run

    wishes = Wishes(
        host=host, pin=pin, mode=mode, bitrate_kbps=round(bitrate * 1000), state=state, seconds=seconds
    )
    run(file, wishes)


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="What `punktfunk record` wrote.")],
    *,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Let today's adaptation decide, with a modelled encoder.")
    ] = False,
    parity_text: Annotated[
        str | None,
        typer.Option(
            "--parity", metavar="adaptive|PERCENT", help="With --adapt: what if it had been so much?"
        ),
    ] = None,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="With --adapt: let the client choose the bitrate.")
    ] = False,
    invalidate: Annotated[
        bool, typer.Option("--invalidate", help="With --adapt: the encoder repairs without a key frame.")
    ] = False,
    engine: Annotated[
        str, typer.Option(metavar="kernels|model", help="Compute parity and repair, or count shards.")
    ] = "kernels",
    expect: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="Exit code 1 unless the digest begins with this.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Play a recorded network back under a virtual clock: the same bytes of report each time, everywhere.

    As it was: frames of the recorded sizes and parity meet the recorded fates, and today's receiver makes of
    them what it makes. With --adapt parity, recovery and bitrate follow from today's code, so that a change
    can be tried on yesterday's network. The digest is over all that happened: keep it beside the recording,
    and the bad evening is a regression test.

    \b
    Examples:
      punktfunk replay evening.pfnet
      punktfunk replay evening.pfnet --adapt --parity 30
      punktfunk replay evening.pfnet --expect 41f0c2 --json evening.json
    """
    from punktfunk.commands.network import parse_parity, replay_files
    from punktfunk.measure.network.replay import ReplayOptions

    options = ReplayOptions(adapt, parse_parity(parity_text), automatic, invalidate, engine)
    if not replay_files(files, options, json_file, expect):
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Make these verbs of the command itself."""
    app.command()(loss)
    app.command()(record)
    app.command()(replay)
    app.command("why-late")(why_late)
    app.command()(dissect)
