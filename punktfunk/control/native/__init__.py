"""The punktfunk/1 host: who may come in, and what a session does."""
