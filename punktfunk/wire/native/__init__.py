"""punktfunk/1: the bytes of our own protocol."""
