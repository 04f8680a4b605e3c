"""gamescope: a session for one game, spawned for a stream, or the game mode that runs already."""
