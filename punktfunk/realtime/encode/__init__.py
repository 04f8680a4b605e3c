"""pf-encode: pictures become access units."""
