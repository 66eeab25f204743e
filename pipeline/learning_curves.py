"""Show the learning curves of an output directory in TensorBoard.

python -m pipeline.learning_curves --output DIR -- --port 6007
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from schema import command
from schema.errors import UserError
from schema.names import DEFAULT_OUTPUT, LOGS_DIRECTORY, Node
from schema.streams import ignore_output_errors, import_tensorflow


def log_directories(output: Path) -> dict[str, Path]:
    """Return the directories of the curves of trainings and of trials, by name.

    Raises:
        UserError: The output directory has no training.
    """
    trainings = output / "artifacts" / Node.TRAINER / "model_run"
    if not trainings.is_dir():
        raise UserError(
            f"{output}: no model has been trained here. Run `ordained run` first, or name another "
            "output directory."
        )
    # The directory of the trials need not exist: the next search may create it.
    return {"trainer": trainings, "tuner": output / LOGS_DIRECTORY / "tensorboard" / "tuner"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run TensorBoard until Ctrl-C, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.learning_curves",
        description="Show the learning curves of an output directory in TensorBoard.",
    )
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, metavar="DIR", help="output directory"
    )
    parser.add_argument("flags", nargs="*", help="options for TensorBoard, after --")
    options = parser.parse_args(arguments)
    return command.run(lambda: _show(options.output, options.flags))


def _show(output: Path, flags: Sequence[str]) -> None:
    directories = log_directories(output)
    ignore_output_errors()
    import_tensorflow()
    from tensorboard.main import run_main

    spec = ",".join(f"{name}:{directory}" for name, directory in directories.items())
    sys.argv = ["tensorboard", "--logdir_spec", spec, *flags]
    run_main()


if __name__ == "__main__":
    sys.exit(main())
