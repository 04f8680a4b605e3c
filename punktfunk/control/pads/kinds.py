"""Which pad a client's pad becomes: by the setting, by what the client says, and by what can be made here.

    setting  client says                         becomes
    -------  ----------------------------------  -----------------------------------
    a model  anything                            that model
    auto     a model                             that model
    auto     Xbox                                Xbox 360; Xbox One if its triggers rumble
    auto     PlayStation, Nintendo               DualSense, Switch Pro
    auto     nothing, but motion or a touchpad   DualSense
    auto     nothing                             Xbox 360, which every game knows

Without /dev/uhid each becomes an Xbox 360 pad; without /dev/uinput the Xbox pads become a DualSense.
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.wire.input import PadArrival, PadCapability, PadKind, PadModel

AUTO: Final = "auto"
OFF: Final = "off"
SETTINGS: Final = (AUTO, OFF, *(model.value for model in PadModel))
XBOX: Final = (PadModel.XBOX_360, PadModel.XBOX_ONE)
RICH: Final = PadCapability.TOUCHPAD | PadCapability.ACCELERATION | PadCapability.GYROSCOPE
TITLES: Final = {
    PadModel.XBOX_360: "Xbox 360 pad",
    PadModel.XBOX_ONE: "Xbox One pad",
    PadModel.DUALSENSE: "DualSense",
    PadModel.DUALSHOCK_4: "DualShock 4",
    PadModel.SWITCH_PRO: "Switch Pro Controller",
}
_KINDS: Final = {PadKind.PLAYSTATION: PadModel.DUALSENSE, PadKind.NINTENDO: PadModel.SWITCH_PRO}


@dataclass(frozen=True, slots=True)
class Nodes:
    """What can be made here."""

    uinput: bool
    uhid: bool


def wanted_model(setting: str, arrival: PadArrival) -> PadModel:
    """Pick the model, whatever can be made."""
    if setting != AUTO:
        return PadModel(setting)
    if arrival.model is not None:
        return arrival.model
    if arrival.kind is PadKind.XBOX:
        rumbles = arrival.capabilities & PadCapability.TRIGGER_RUMBLE
        return PadModel.XBOX_ONE if rumbles else PadModel.XBOX_360
    if arrival.kind in _KINDS:
        return _KINDS[arrival.kind]
    return PadModel.DUALSENSE if arrival.capabilities & RICH else PadModel.XBOX_360


def possible_model(wanted: PadModel, nodes: Nodes) -> PadModel | None:
    """Come as near to it as can be; None if nothing can be made."""
    if nodes.uinput and (wanted in XBOX or not nodes.uhid):
        return wanted if wanted in XBOX else PadModel.XBOX_360
    if nodes.uhid:
        return PadModel.DUALSENSE if wanted in XBOX else wanted
    return None
