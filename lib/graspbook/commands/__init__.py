"""The subcommands of `graspbook`, one file each: `arguments(parser)` and `run(options)`.

A file is found by being here. Its name is the subcommand's, with _ for -; the first line of its
docstring is the help. It imports what is heavy where it is used, so that `-h` is instant.
"""
