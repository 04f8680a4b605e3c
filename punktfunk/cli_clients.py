"""``punktfunk pair`` and ``punktfunk clients``: who may come in, and what they may do there."""

from pathlib import Path
from typing import Annotated

import typer

clients = typer.Typer(
    help="Devices: list, pending, approve, deny, grant, expire, rename, remove.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FOLDER", help="State folder of the host (key, paired clients)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Client = Annotated[str, typer.Argument(metavar="CLIENT", help="Name, or start of the fingerprint.")]
Device = Annotated[
    str, typer.Argument(metavar="DEVICE", help="Its number, its name or the start of its fingerprint.")
]
Grants = Annotated[
    str | None,
    typer.Option(
        metavar="RIGHTS",
        help="What it may do, joined by commas: gamepad, pointer, keyboard, clipboard, microphone, launch, "
        "power, manage; or full, controller, view. Full if not given.",
    ),
]
Expires = Annotated[
    str | None, typer.Option(metavar="4h", help="How long it may come, from now on; for ever if not given.")
]


def pair(
    pin: Annotated[
        str | None, typer.Argument(metavar="[PIN]", help="The four digits that Moonlight shows.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the device.")] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Which client, when several are waiting."),
    ] = None,
    *,
    native: Annotated[
        bool, typer.Option("--native", help="Show a PIN for a punktfunk/1 device to type.")
    ] = False,
    window: Annotated[
        str | None, typer.Option("--for", metavar="2m", help="With --native: how long the PIN is good.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="FINGERPRINT", help="With --native: only this device may use the PIN."),
    ] = None,
    grants: Grants = None,
    expires: Expires = None,
    wait: Annotated[bool, typer.Option("--wait", help="With --native: wait until it is paired.")] = False,
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Pair a device: with the PIN that Moonlight shows, or by a PIN that this host shows.

    Moonlight: choose the host there (or add its address); it shows four digits and waits.
    punktfunk/1: --native shows four digits here; type them on the device. One PIN pairs one device, is
    spent by one attempt, and is good for two minutes.

    \b
    Examples:
      punktfunk pair 4711
      punktfunk pair 4711 --name "Steam Deck"
      punktfunk pair 4711 --address 192.168.1.23
      punktfunk pair --native
      punktfunk pair --native --for 5m --grants gamepad,pointer --expires 4h
    """
    from punktfunk.commands import clients
    from punktfunk.errors import Misuse

    if native is (pin is not None):
        raise Misuse(
            "pair takes either a PIN or --native.",
            hint="Moonlight shows a PIN: punktfunk pair 1234. Other devices: punktfunk pair --native.",
        )
    if pin is not None:
        if any((window, device, grants, expires, wait)):
            raise Misuse(
                "--for, --device, --grants, --expires and --wait go with --native.",
                hint="Pair first, then: punktfunk clients grant, punktfunk clients expire.",
            )
        clients.pair(pin, name, address, state)
    else:
        clients.pair_native(
            state, window=window, device=device, grants=grants, expires=expires, wait=wait, as_json=as_json
        )


@clients.command("list")
def clients_list(*, state: State = None, as_json: AsJson = False) -> None:
    """List the paired clients of the running host, with what they may do and until when.

    \b
    Example:
      punktfunk clients list
    """
    from punktfunk.commands.clients import list_clients

    list_clients(state, as_json=as_json)


@clients.command("pending")
def clients_pending(*, state: State = None, as_json: AsJson = False) -> None:
    """List the devices that ask to come in and that nobody has paired.

    \b
    Example:
      punktfunk clients pending
    """
    from punktfunk.commands.clients import list_pending

    list_pending(state, as_json=as_json)


@clients.command("approve")
def clients_approve(
    device: Device,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call it.")] = None,
    grants: Grants = None,
    expires: Expires = None,
    state: State = None,
) -> None:
    """Let a waiting device in: it is paired, and its connection goes on at once.

    Compare the fingerprint with the one that the device shows: names can be anything.

    \b
    Examples:
      punktfunk clients approve 1
      punktfunk clients approve 3fa9 --grants controller --expires 4h
    """
    from punktfunk.commands.clients import approve

    approve(device, name, grants, expires, state)


@clients.command("deny")
def clients_deny(device: Device, state: State = None) -> None:
    """Turn a waiting device away, for ten minutes.

    \b
    Example:
      punktfunk clients deny 1
    """
    from punktfunk.commands.clients import deny

    deny(device, state)


@clients.command("grant")
def clients_grant(
    client: Client,
    rights: Annotated[
        str, typer.Argument(metavar="RIGHTS", help="As for `approve --grants`: gamepad,keyboard or view.")
    ],
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="4h", help="Also set how long it may come; or never.")
    ] = None,
    state: State = None,
) -> None:
    """Set what a client may do. It counts at once, also for a session that runs.

    \b
    Examples:
      punktfunk clients grant "Bedroom TV" gamepad,keyboard --for 4h
      punktfunk clients grant 3fa9 view
      punktfunk clients grant 3fa9 full
    """
    from punktfunk.commands.clients import grant

    grant(client, rights, lasting, state)


@clients.command("expire")
def clients_expire(
    client: Client,
    lasting: Annotated[str, typer.Argument(metavar="TIME", help="30m, 4h, 7d; never takes the end away.")],
    state: State = None,
) -> None:
    """Set how long a client may come, from now on. A session that runs then ends.

    \b
    Examples:
      punktfunk clients expire "Bedroom TV" 2h
      punktfunk clients expire "Bedroom TV" never
    """
    from punktfunk.commands.clients import expire

    expire(client, lasting, state)


@clients.command("rename")
def clients_rename(
    client: Client,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    state: State = None,
) -> None:
    """Give a paired client another name.

    \b
    Example:
      punktfunk clients rename 3fa9 "Bedroom TV"
    """
    from punktfunk.commands.clients import rename_client

    rename_client(client, name, state)


@clients.command("remove")
def clients_remove(client: Client, state: State = None) -> None:
    """Unpair a client. Its stream ends, and it has to pair again.

    \b
    Example:
      punktfunk clients remove "Bedroom TV"
    """
    from punktfunk.commands.clients import remove_client

    remove_client(client, state)
