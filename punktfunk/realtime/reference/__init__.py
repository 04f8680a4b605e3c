"""The slow twins of the kernels: same file names, same functions, written as the textbook has it."""
