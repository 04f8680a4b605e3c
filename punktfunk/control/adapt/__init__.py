"""What to do about the network: pure controllers. Values and ``now_ns`` in, decisions out."""
