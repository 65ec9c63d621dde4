"""The subcommands of `graspbook`, one file each: `EXAMPLES`, `arguments(parser)`, `run(options)`.

Every file here is a subcommand. Its name is the subcommand's, with _ for -. The first line of its
docstring is the help. It imports heavy modules where it uses them, so that `-h` is instant. `run`
checks options and inputs before it loads networks, and its last line says what to do next.
"""
