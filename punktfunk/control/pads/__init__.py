"""Virtual gamepads for the length of a session: hub, devices, access to the kernel's nodes."""
