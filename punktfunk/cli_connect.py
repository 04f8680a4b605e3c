"""``punktfunk connect``, ``probe`` and ``hosts``: their flags. What they do: ``punktfunk.commands``.

Nothing heavy is imported before a verb runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from punktfunk.cli_bench import whole_number

HostName = Annotated[
    str | None,
    typer.Argument(
        metavar="HOST",
        help="Name, address, ADDRESS:PORT or the first digits of a fingerprint. "
        "Without it the host that announces itself on this network.",
    ),
]
ClientState = Annotated[
    Path | None,
    typer.Option("--state", metavar="FOLDER", help="Folder of this client's key and the hosts it knows."),
]
ModeText = Annotated[
    str,
    typer.Option(
        "--mode",
        metavar="WIDTHxHEIGHT@HZ",
        help="Picture to ask for; the host makes its display exactly this.",
    ),
]
Bitrate = Annotated[
    float,
    typer.Option("--bitrate", metavar="MBIT", help="Megabits a second in all. 0 lets both sides find it."),
]
CodecNames = Annotated[
    list[str] | None,
    typer.Option("--codec", metavar="h264|hevc|av1", help="Take only this one. May be repeated, best first."),
]
Pin = Annotated[
    str | None,
    typer.Option("--pin", metavar="PIN", help="Pair first: the digits that `punktfunk pair --native` shows."),
]
Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", metavar="HEX", help="Insist on the host with this fingerprint."),
]
Seconds = Annotated[float, typer.Option("--seconds", metavar="N", help="End after so long. 0 never ends.")]

hosts = typer.Typer(
    help="Hosts that this client knows, and those on this network.",
    rich_markup_mode=None,
    invoke_without_command=True,
)


def connect(
    host: HostName = None,
    *,
    mode: ModeText = "1280x720@60",
    bitrate: Bitrate = 0.0,
    codec: CodecNames = None,
    pin: Pin = None,
    fingerprint: Fingerprint = None,
    launch: Annotated[str, typer.Option(metavar="ID", help="Start this app of the host.")] = "",
    keep: Annotated[
        bool,
        typer.Option("--keep", help="At the end leave the host's display and programs; come back soon."),
    ] = False,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the host calls this device; the machine's name.")
    ] = None,
    fullscreen: Annotated[bool, typer.Option("--fullscreen", help="Fill the screen.")] = False,
    overlay: Annotated[bool, typer.Option("--overlay", help="Begin with the statistics shown.")] = False,
    grab: Annotated[
        bool, typer.Option("--grab", help="Begin with the mouse captured, for games that turn the view.")
    ] = False,
    microphone: Annotated[bool, typer.Option("--microphone", help="Send this machine's microphone.")] = False,
    mute: Annotated[bool, typer.Option("--mute", help="Begin without sound.")] = False,
    fixed_size: Annotated[
        bool, typer.Option("--fixed-size", help="Keep the mode when the window's size changes.")
    ] = False,
    decoder: Annotated[
        str,
        typer.Option(metavar="auto|none|vaapi|cuda|...", help="Which hardware decodes; none is software."),
    ] = "auto",
    receiver: Annotated[
        str,
        typer.Option(
            metavar="auto|kernel|portable", help="What takes packets; portable is slower, and needs no Linux."
        ),
    ] = "auto",
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE.mkv", help="Write what arrives, without encoding it again; no window."),
    ] = None,
    flight: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="At the end write every frame's times, for why-late."),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: for tests and measurements.")
    ] = False,
    frames: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="With --headless: end after N frames.")
    ] = 0,
    seconds: Seconds = 0.0,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="With --headless: decode, and check every frame of the test card."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --headless: report JSON.")] = False,
    drop: Annotated[
        float,
        typer.Option(metavar="PERCENT", help="Throw away so many video packets on arrival, to see repairs."),
    ] = 0.0,
    state: ClientState = None,
) -> None:
    """Stream from a host into a window of this machine.

    The first time, either pair (run `punktfunk pair --native` on the host and give its four digits with
    --pin), or just connect and let somebody approve this device there (`punktfunk clients approve`). From
    then on the host's fingerprint is pinned: another machine in its place is refused. A dropped network is
    waited for; the host keeps its display meanwhile.

    In the window, Ctrl+Alt+Shift and a letter: Q quit, X full screen, S statistics, Z grab or release mouse
    and keyboard, M mouse for games or for the desktop, V type the clipboard, T microphone, N sound.

    \b
    Examples:
      punktfunk connect
      punktfunk connect desk --pin 4711
      punktfunk connect 192.168.1.5 --mode 2560x1440@120 --fullscreen
      punktfunk connect desk --record evening.mkv
      punktfunk connect desk --headless --frames 600 --verify --json
    """
    from punktfunk.commands.connect import Wishes, connect

    wishes = Wishes(
        host=host,
        pin=pin,
        fingerprint=fingerprint,
        mode=mode,
        bitrate_kbps=round(bitrate * 1000),
        codec=tuple(codec or ()),
        launch=launch,
        keep=keep,
        name=name,
        state=state,
        headless=headless,
        frames=frames,
        seconds=seconds,
        verify=verify,
        as_json=as_json,
        record=record,
        flight=flight,
        loss_ppm=round(drop * 10_000),
        fullscreen=fullscreen,
        overlay=overlay,
        relative_mouse=grab,
        microphone=microphone,
        mute=mute,
        fixed_size=fixed_size,
        hardware=decoder,
        receiver=receiver,
    )
    raise typer.Exit(0 if connect(wishes) else 1)


@hosts.callback()
def list_hosts(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    state: ClientState = None,
) -> None:
    """List the hosts that this client knows, and those that announce themselves on this network.

    \b
    Examples:
      punktfunk hosts
      punktfunk hosts forget desk
    """
    if context.invoked_subcommand is None:
        from punktfunk.commands.connect import list_hosts

        list_hosts(state, as_json=as_json)


@hosts.command("forget")
def forget_host(
    host: Annotated[str, typer.Argument(metavar="HOST", help="Name, address, or start of the fingerprint.")],
    state: ClientState = None,
) -> None:
    """Forget a host and its fingerprint, as after it was set up anew.

    \b
    Example:
      punktfunk hosts forget desk
    """
    from punktfunk.commands.connect import forget_host

    forget_host(host, state)


def probe(
    host: HostName = None,
    *,
    seconds: Annotated[float, typer.Option(metavar="N", help="How long to measure.")] = 10.0,
    window: Annotated[
        bool, typer.Option("--window", help="Show the stream, and measure up to the screen as well.")
    ] = False,
    recording: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read a recording of the test card instead of a host."),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="Where in the recording a card is: X,Y,WIDTHxHEIGHT, or its four corners clockwise, "
            "'X,Y X,Y X,Y X,Y'. Twice: both screens, and the second's age is measured.",
        ),
    ] = None,
    mode: ModeText = "1280x720@60",
    bitrate: Bitrate = 0.0,
    codec: CodecNames = None,
    pin: Pin = None,
    fingerprint: Fingerprint = None,
    decoder: Annotated[
        str,
        typer.Option(metavar="auto|none|vaapi|cuda|...", help="Which hardware decodes; none is software."),
    ] = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write everything as JSON.")
    ] = None,
    plot_file: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.png", help="Also draw it. Needs punktfunk[bench]."),
    ] = None,
    state: ClientState = None,
) -> None:
    """Measure how old pictures are at every stage: sent, received, reassembled, decoded, presented.

    Ages count from the capture; the clocks of both machines are compared first. Also said: frames that were
    lost or came twice, stalls, and how evenly pictures came. With --recording FILE a film of the test card is
    read: of one screen, or of host and client side by side for glass to glass.

    \b
    Examples:
      punktfunk probe desk
      punktfunk probe desk --window --seconds 60 --plot latency.png
      punktfunk probe --recording evening.mkv
      punktfunk probe --recording phone.mp4 --at 40,60,800x450 --at 900,60,800x450
    """
    from punktfunk.commands.connect import Wishes
    from punktfunk.commands.probe import ProbeWishes, probe

    session = Wishes(
        host=host,
        pin=pin,
        fingerprint=fingerprint,
        mode=mode,
        bitrate_kbps=round(bitrate * 1000),
        codec=tuple(codec or ()),
        hardware=decoder,
        state=state,
    )
    wishes = ProbeWishes(session, seconds, window, recording, tuple(at or ()), json_file, plot_file)
    raise typer.Exit(0 if probe(wishes) else 1)


def add_to(app: typer.Typer) -> None:
    """Add the verbs to the front door."""
    app.command("connect")(connect)
    app.command("probe")(probe)
    app.add_typer(hosts, name="hosts")
