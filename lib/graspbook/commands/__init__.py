"""The subcommands of `graspbook`, one file each: `arguments(parser)` and `run(options)`."""
