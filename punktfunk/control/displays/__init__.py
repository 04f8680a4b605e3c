"""Virtual displays: outputs made for exactly one client."""
