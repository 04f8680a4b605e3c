"""Where a new output goes: beside the ones that are there, without an overlap and without a gap."""

from collections.abc import Sequence

from punktfunk.control.displays.base import Position, Region


def beside(position: Position, others: Sequence[Region], width: int, height: int) -> tuple[int, int]:
    """Return the corner (x, y) of an output of that size on one side of the others, in logical units.

    It touches the outermost of them, with tops (left and right) or left edges (above and below) aligned.
    Coordinates may be negative. Without others it is the origin.
    """
    if not others:
        return 0, 0
    match position:
        case "right":
            edge = max(others, key=lambda region: region.x + region.width)
            return edge.x + edge.width, edge.y
        case "left":
            edge = min(others, key=lambda region: region.x)
            return edge.x - width, edge.y
        case "below":
            edge = max(others, key=lambda region: region.y + region.height)
            return edge.x, edge.y + edge.height
        case "above":
            edge = min(others, key=lambda region: region.y)
            return edge.x, edge.y - height
