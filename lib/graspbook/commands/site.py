"""Render the executed notebooks of a profile to pages that open from disk."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import RUN, add
from graspbook.errors import NotebookError

EXAMPLES = ("graspbook site --profile smoke",)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    add(parser, *RUN)


def run(options: Namespace) -> None:
    """Render the pages and print the path of the first.

    options: what `arguments` asks for. Raises NotebookError where a notebook had failed.
    """
    from graspbook.workbook.params import load_profile

    load_profile(options.profile)  # an unknown one is refused before the page writer loads
    from graspbook.workbook.site import build_site

    index, failures = build_site(options.profile, options.output_root)
    print(index)
    if failures:
        raise NotebookError("; ".join(failures))
    print(f"Next: open {index} in a browser.")
