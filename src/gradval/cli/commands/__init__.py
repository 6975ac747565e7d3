"""The commands of `gradval`, one module each, found by their names.

The first line of a module's docstring is its line in `gradval --help`; the whole is its own help.
It has `add_arguments(parser)`, and `run(options)` that returns the exit code. Imports that take
long belong into `run`: every command is imported to list it.
"""
