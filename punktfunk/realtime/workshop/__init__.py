"""A researcher's own variants: found in their folder, checked against the textbook, loaded into a host.

Where what happens: ``files`` reads sources and runs nothing; ``loading`` runs one; ``checking`` compares its
variants with the textbook, which only ever happens in a child process; ``works`` lets them be timed.
"""
