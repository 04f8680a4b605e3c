"""Access units to pictures and packets to samples, for clients: PyAV, in threads of their own."""
