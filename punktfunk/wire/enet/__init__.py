"""ENet 1.3, sans-IO: bytes and the time come in, events and datagrams go out."""
