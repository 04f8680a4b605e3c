"""What virtual gamepads say to the kernel and what games say to them: bytes and state, no devices."""
