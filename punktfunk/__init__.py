"""punktfunk: low-latency desktop and game streaming from Linux."""

__version__ = "0.1.0"
