"""pf-capture: where pictures come from."""
