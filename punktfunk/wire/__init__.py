"""What bytes mean. Pure: no sockets, clocks, threads, logging or numpy."""
