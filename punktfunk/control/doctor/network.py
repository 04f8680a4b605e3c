"""Ports and kernel socket buffers."""

from collections.abc import Sequence
from pathlib import Path

from punktfunk.control.doctor.finding import Finding, Status, read_text
from punktfunk.control.holders import port_holders, remedy, wanted_ports

WANTED_SEND_BUFFER_BYTES = 4 << 20
"""Some frames of 4K at 150 Mbit/s: what is not taken at once stays in the kernel, not in our queue."""


def examine_ports(
    base: int | None, bind: Sequence[str], native_port: int | None = None, *, proc: Path = Path("/proc")
) -> Finding:
    """Look whether somebody else listens where the host would."""
    holders = port_holders(base, bind, native_port, proc=proc)
    if not holders:
        numbers = ", ".join(f"{port}/{protocol}" for protocol, port in wanted_ports(base, native_port))
        return Finding("ports", Status.OK, f"free: {numbers}")
    if all(holder.process == "punktfunk" for holder in holders):
        pids = sorted({holder.pid for holder in holders if holder.pid})
        return Finding("ports", Status.OK, f"in use by the running punktfunk (process {pids[0]})")
    return Finding(
        "ports",
        Status.MISSING,
        "; ".join(map(str, holders)),
        "serve cannot listen and will not start.",
        remedy(holders),
        vital=True,
    )


def examine_buffers(proc: Path = Path("/proc")) -> Finding:
    """Compare the largest send buffer that the kernel grants with what a large frame needs."""
    text = read_text(proc / "sys/net/core/wmem_max")
    if text is None or not text.isdigit():
        return Finding("socket buffers", Status.OK, "the kernel does not tell its limit here")
    granted_bytes = int(text)
    found = f"net.core.wmem_max = {granted_bytes}"
    if granted_bytes >= WANTED_SEND_BUFFER_BYTES:
        return Finding("socket buffers", Status.OK, found)
    setting = f"net.core.wmem_max={WANTED_SEND_BUFFER_BYTES}"
    return Finding(
        "socket buffers",
        Status.DEGRADED,
        f"{found}, {WANTED_SEND_BUFFER_BYTES} are wanted",
        "Large frames (4K, high bitrates) may be sent in more, smaller steps and arrive a little later.",
        f"sudo sysctl -w {setting}\necho {setting} | sudo tee /etc/sysctl.d/60-punktfunk.conf",
    )
