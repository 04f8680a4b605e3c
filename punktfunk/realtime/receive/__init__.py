"""The receiving side of punktfunk/1: memory, thread, and what it hands over."""
