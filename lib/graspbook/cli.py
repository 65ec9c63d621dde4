"""The command line: finds the subcommand in `commands/` and loads that one alone.

Status 0: done. Status 1: a notebook failed, or no grasp holds or can be reached. Status 2: bad
input, explained in one line. Status 130: interrupted by Ctrl-C.
"""

import argparse
import ast
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from graspbook.errors import GraspbookError, NoGraspError, NotebookError

# File of each subcommand, by its name.
COMMANDS = {
    file.stem.replace("_", "-"): file
    for file in sorted((Path(__file__).parent / "commands").glob("[a-z]*.py"))
}


class _Parser(argparse.ArgumentParser):
    """A parser that explains wrong arguments in one line, like all other bad input."""

    def error(self, message):
        self.exit(2, f"graspbook: error: {' '.join(message.split())} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Prints version and revision; git is asked only then."""

    def __call__(self, parser, namespace, values, option_string=None):
        from graspbook.provenance import version_text

        print(f"graspbook {version_text()}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `graspbook ARGUMENTS` and return the exit status.

    arguments: those of the process if None.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with _imports_uninterrupted():
            options = _parser(arguments).parse_args(arguments)
            options.run(options)
    except (NotebookError, NoGraspError) as error:
        return _complain(error, 1)
    except GraspbookError as error:
        return _complain(error, 2)
    except OSError as error:
        return _complain(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _complain(
            "interrupted: files that exist are complete, and trials continue when you run the"
            " command again",
            130,
        )
    return 0


@contextmanager
def _imports_uninterrupted():
    """Let Ctrl-C wait for the end of an import: some modules swallow what is raised in it.

    A second Ctrl-C does not wait.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    usual = signal.default_int_handler
    if not (main_thread and signal.getsignal(signal.SIGINT) is usual and hasattr(signal, "alarm")):
        yield
        return
    waiting = False

    def interrupt(number, frame):
        nonlocal waiting
        second, inner = waiting and number == signal.SIGINT, frame
        while inner and inner.f_code.co_filename != "<frozen importlib._bootstrap>":
            inner = inner.f_back
        waiting = inner is not None
        if waiting:
            signal.setitimer(signal.ITIMER_REAL, 0.05)  # looks again
        if second or not waiting:
            usual(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    alarm = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, usual)
        signal.signal(signal.SIGALRM, alarm)
    if waiting:
        raise KeyboardInterrupt


def _parser(arguments):
    """A parser that knows all subcommands by name, and the arguments of the one asked for."""
    raw = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = _Parser(
        prog="graspbook",
        description="A reproducible workbook of two papers on learning to grasp.",
        epilog="examples:\n  graspbook grasp mug.stl\n  graspbook grasp -h\n  graspbook formats",
        **raw,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print version and revision, and exit"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    asked = next((text for text in arguments if not text.startswith("-")), None)
    for name, file in COMMANDS.items():
        command = commands.add_parser(name, help=_help(file), **raw)
        if name == asked:
            module = import_module(f"graspbook.commands.{file.stem}")
            module.arguments(command)
            command.description = (module.__doc__ or "").partition("\n")[0]
            command.epilog = "\n  ".join(["examples:", *module.EXAMPLES])
            command.set_defaults(run=module.run)
    return parser


def _help(file):
    """The first line of a module's docstring, read without importing it."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))).partition("\n")[0]
    return text[0].lower() + text[1:].rstrip(".")


def _complain(message, status):
    print("graspbook: error:", " ".join(str(message).split()), file=sys.stderr)
    return status
