"""The verbs behind ``cli.py``, one module each, imported only when their verb runs."""
