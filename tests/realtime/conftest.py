"""Makes `from stream_helpers import ...` work from the folders below."""
