"""Input by devices of the kernel: the last resort, and touch and pen where nothing else has them."""
