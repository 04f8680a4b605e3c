"""How a KWin's outputs were arranged before us, in the journal, and the way back after a crash."""

from typing import Final

from punktfunk.control.displays.kwin.arrange import Arranger, Layout, parse_place
from punktfunk.control.displays.kwin.outputs import following_outputs
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.system.journal import Entry, Journal
from punktfunk.control.system.processes import is_alive
from punktfunk.errors import EnvironmentProblem

KIND: Final = "kwin-outputs"


def details_of(layout: Layout) -> dict[str, str]:
    """Write a layout's places as details of a journal entry."""
    return {name: str(place) for name, place in layout.places.items()}


def layout_from(entry: Entry) -> Layout:
    """Read a layout from a journal entry; places out of form are left out."""
    places = {name: place for name, text in entry.details.items() if (place := parse_place(text))}
    return Layout(places, entry.outputs_before)


async def put_back(journal: Journal, entry: Entry) -> str:
    """Arrange the outputs of a KWin as they were before a host that has died; say what was done."""
    if not any(is_alive(process) for process in entry.processes):
        journal.remove(entry.token)
        return "the Plasma session whose displays an earlier host arranged is gone"
    layout = layout_from(entry)
    try:
        async with open_wayland(entry.socket_path) as connection, following_outputs(connection) as devices:
            await Arranger(connection, devices).lay_out(layout)
    except EnvironmentProblem as problem:
        return f"the displays of Plasma could not be arranged as before: {problem}"
    journal.remove(entry.token)
    on = sorted(name for name, place in layout.places.items() if place.is_enabled)
    return f"the displays of Plasma are arranged as before ({', '.join(on) or 'none was on'})"
