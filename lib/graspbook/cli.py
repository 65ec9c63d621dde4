"""The command line: a thin front on the rooms. Each subcommand is one function that imports what it needs when it runs.

Status 0: done. Status 1: a notebook failed. Status 2: bad input, told in one line.
"""

import argparse
import sys

from graspbook.errors import GraspbookError, NotebookError


def main(arguments=None):
    """Run `graspbook ARGUMENTS` (those of the process if omitted) and return the exit status."""
    parser = argparse.ArgumentParser(prog="graspbook", description="A reproducible workbook of two papers on learning to grasp.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_run, _add_site):
        add(commands)
    options = parser.parse_args(arguments)
    try:
        options.function(options)
    except NotebookError as error:
        return _complain(error, 1)
    except GraspbookError as error:
        return _complain(error, 2)
    except OSError as error:
        return _complain(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
    return 0


def _complain(message, status):
    print("graspbook: error:", " ".join(str(message).split()), file=sys.stderr)
    return status


def _add_run(commands):
    parser = commands.add_parser("run", help="execute one notebook with the parameters of a profile")
    parser.add_argument("notebook", metavar="NOTEBOOK", help="e.g. notebooks/graspnet/1_objects.ipynb")
    _add_profile(parser)
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one value; repeatable")
    parser.set_defaults(function=_run)


def _run(options):
    from graspbook.workbook.run import run_notebook

    print(run_notebook(options.notebook, options.profile, options.set, options.output_root))


def _add_site(commands):
    parser = commands.add_parser("site", help="render the executed notebooks of a profile to pages that open from disk")
    _add_profile(parser)
    parser.set_defaults(function=_site)


def _site(options):
    from graspbook.workbook.site import build_site

    index, failures = build_site(options.profile, options.output_root)
    print(index)
    if failures:
        raise NotebookError("; ".join(failures))


def _add_profile(parser):
    parser.add_argument("--profile", default="smoke", help="a name in params/ or the path of a .yaml file (default: smoke)")
    parser.add_argument("--output-root", metavar="DIR", help="where all files go (default: outputs/<profile>)")
