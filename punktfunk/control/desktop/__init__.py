"""A desktop session of our own: buses, PipeWire and a compositor, for machines without monitor or login."""
