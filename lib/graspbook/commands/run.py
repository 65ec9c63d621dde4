"""Execute one notebook with the parameters of a profile."""

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

from graspbook.commands._arguments import RUN, add
from graspbook.errors import ParameterError

EXAMPLES = (
    "graspbook run notebooks/0_tour.ipynb",
    "graspbook run notebooks/graspnet/1_objects.ipynb --profile desk",
)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    text = "e.g. notebooks/graspnet/1_objects.ipynb"
    parser.add_argument("notebook", metavar="NOTEBOOK", help=text)
    add(parser, *RUN)
    text = "override one value; repeatable"
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help=text
    )


def run(options: Namespace) -> None:
    """Run the notebook and print the path of the executed one.

    options: the parsed arguments of `arguments`.
    """
    if not Path(options.notebook).is_file():
        raise ParameterError(f"{options.notebook}: no such notebook")
    from graspbook.workbook.params import load_profile

    load_profile(options.profile, options.set)  # bad values are refused before papermill loads
    from graspbook.workbook.run import run_notebook

    done = run_notebook(options.notebook, options.profile, options.set, options.output_root)
    root = f" --output-root {shlex.quote(options.output_root)}" if options.output_root else ""
    print(done)
    print(f"Next: graspbook site --profile {shlex.quote(options.profile)}{root}")
