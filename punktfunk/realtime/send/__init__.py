"""pf-send: access units become datagrams."""
