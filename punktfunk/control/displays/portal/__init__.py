"""The desktop portal: the screen of any other desktop, after its user agreed in a dialog."""
