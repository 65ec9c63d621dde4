"""Execute one notebook with the parameters of a profile."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import RUN, add


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: its own.
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

    options: what `arguments` asks for.
    """
    from graspbook.workbook.run import run_notebook

    print(run_notebook(options.notebook, options.profile, options.set, options.output_root))
