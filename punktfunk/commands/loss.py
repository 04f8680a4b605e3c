"""``punktfunk loss``: send a stream through bad networks, and say what is left of it."""

from pathlib import Path

from punktfunk.commands.progress import showing, warm_kernels
from punktfunk.errors import Misuse
from punktfunk.measure import plot as plotting
from punktfunk.measure.network import report
from punktfunk.measure.network.netem import check_netem
from punktfunk.measure.network.options import LossOptions
from punktfunk.measure.network.sockets import by_netem, by_sockets
from punktfunk.measure.network.sweep import by_model, sweep

_TRIALS = {"model": by_model, "sockets": by_sockets, "netem": by_netem}
_NOTES = {
    "model": "By model: a virtual clock, the real block geometry, receiver rules and adaptation; the encoder "
    "is made up. The same options give the same numbers on every machine.",
    "sockets": "By sockets: the real sender and receiver; the network is a process of punktfunk's own.",
    "netem": "By netem: the real sender and receiver, and the kernel's own bad network.",
}


def loss(options: LossOptions, json_file: Path | None, plot_file: Path | None) -> None:
    """Check what was asked, run every case, show. Misuse or EnvironmentProblem before anything is run."""
    options.check()
    for flag, path in (("--json", json_file), ("--plot", plot_file)):
        if path is not None and path.is_dir():
            raise Misuse(f"{flag} {path} is a folder", hint="Name a file.")
    if plot_file:
        plotting.check_plot(plot_file)
    if options.way == "netem":
        check_netem()
    if options.way != "model":
        warm_kernels()
    with showing() as note:
        rows = list(sweep(options, _TRIALS[options.way], note))
    notes = [_NOTES[options.way]]
    print(report.table(rows, automatic=options.automatic))
    print()
    print(notes[0])
    corrupt = sum(row.corrupt_frames for row in rows)
    if options.way != "model":
        print(f"Every frame that came was compared: {corrupt} corrupt.")
    if json_file:
        report.write_json(json_file, report.as_json(options, rows, notes))
    if plot_file:
        shape = f"{options.bitrate_kbps / 1000:g} Mbit/s at {options.refresh_hz} Hz, {options.scheme}"
        report.plot(plot_file, rows, f"punktfunk loss, by {options.way}: {shape}")
