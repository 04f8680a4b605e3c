"""What the operating system must be asked for: inhibitors, priorities, journals."""
