"""Input devices of the kernel: the numbers of its events, and what goes through /dev/uinput."""
