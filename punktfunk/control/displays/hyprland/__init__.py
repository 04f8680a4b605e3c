"""Hyprland: outputs of a running session, made and removed through its control socket."""
