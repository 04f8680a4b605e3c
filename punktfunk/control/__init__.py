"""One Trio program that may wait: hosts, sessions, pairing, displays, input."""
