"""Flight recordings read: one timeline of both ends, why frames were late, and a trace for Perfetto."""
