"""Every computing kernel against its twin on small inputs, one file per kernel module, for each start."""
