"""Put the networks of a complete run into the package."""

from argparse import ArgumentParser, Namespace

from graspbook.commands._arguments import RUN, add

EXAMPLES = ("graspbook ship --profile desk --evaluations evaluation.json",)


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the subcommand.

    parser: the parser of this subcommand, which gets its arguments.
    """
    add(parser, *RUN)
    text = "which networks: 6-DOF GraspNet (graspnet, default) or multi-joint hands (highdof)"
    papers = ("graspnet", "highdof")
    parser.add_argument("--paper", choices=papers, default=papers[0], help=text)
    text = "reports of `graspbook evaluate` for the model card of graspnet"
    parser.add_argument("--evaluations", nargs="*", default=[], metavar="EVAL.json", help=text)


def run(options: Namespace) -> None:
    """Ship the networks and print the path of their card.

    options: the parsed arguments of `arguments`.
    """
    from graspbook.workbook.ship import ship

    how = {"paper": options.paper, "evaluations": options.evaluations}
    card = ship(options.profile, options.output_root, **how)
    print(card)
    print(f"Next: read {card}, then commit the weights.")
