"""`tuner_fn` of the Tuner component."""

import logging
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import keras_tuner
from keras_tuner.engine import trial as trial_module
from tfx import v1 as tfx
from tfx.components.tuner.component import TunerFnResult

from schema.wording import duration
from trainer import run
from trainer.ensemble import training
from trainer.hparams import HParams

SEARCHED_VALUES: Final[dict[str, tuple[float, ...] | tuple[str, ...]]] = {
    "learning_rate": (5e-4, 1e-3, 2e-3),
    "batch_size": (128, 256, 512),
    "optimizer": ("adam", "adamw", "nadam"),
    "weight_decay": (0.01, 0.05, 0.1),
    "word_encoder": ("none", "cnn", "rnn", "cnn_rnn"),
    "sentence_encoder": ("none",),
    "hidden_units": (256, 512, 1024, 2048),
    "input_dropout": (0.2, 0.3, 0.4, 0.5, 0.6),
    "dropout": (0.3, 0.4, 0.5, 0.6, 0.7),
}
"""Values of each searched hyperparameter, to which the configured value is added.

All trials share the sentence vectors and the trees. So `sentence_encoder` is the configured encoder
or none, and `field_dropout`, on which the trees depend, is not searched.
"""

log = logging.getLogger(__name__)


def search_space(defaults: HParams) -> keras_tuner.HyperParameters:
    """Return the choices of the Tuner, the defaults among them. Every combination can be trained.

    Choices are listed values, because a range with a step gives 0.30000000000000004 beside 0.3:
    Keras Tuner takes these for different values and would try the defaults twice.
    """
    space = keras_tuner.HyperParameters()
    for name, choices in SEARCHED_VALUES.items():
        default = getattr(defaults, name)
        space.Choice(name, sorted({default, *choices}), default=default)
    return space


def tuner_fn(fn_args: tfx.components.FnArgs) -> TunerFnResult:
    """Return a tuner that searches `search_space` for the highest mean average precision.

    The Tuner component calls this function.

    Args:
        fn_args: Arguments of the Tuner component. `custom_config` has `trials`, the number of
            trials, and optionally `hparams`, the configured hyperparameters, and `log_directory`,
            the directory of TensorBoard's logs with one subdirectory per search.
    """
    config: dict[str, Any] = fn_args.custom_config or {}
    defaults = run.resolve_hparams(config)
    logs = Path(config.get("log_directory", fn_args.working_dir))
    previous_searches = len(list(logs.glob("search-*")))
    # In a shared directory TensorBoard would join the curves of two searches.
    search = f"search-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005 (people read the local time)
    tuner = TrainingTuner(
        run.prepare(fn_args, defaults),
        defaults,
        logs / search,
        oracle=build_oracle(defaults, config["trials"], previous_searches),
        directory=fn_args.working_dir,
        project_name="trials",
        overwrite=True,
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={})


def build_oracle(
    defaults: HParams, trials: int, previous_searches: int = 0
) -> "DefaultsFirstOracle":
    """Return the oracle that chooses the hyperparameters of each trial by the highest `val_map`.

    The first trial has the defaults. The rest of the first half of the trials is random, seeded by
    the defaults and the number of previous searches. So a repeated search tries other values, and
    so does a search whose defaults are the result of a previous one.

    Args:
        defaults: Configured hyperparameters.
        trials: Integer. Number of trials.
        previous_searches: Integer. Number of searches before this one; 0 by default.
    """
    return DefaultsFirstOracle(
        objective=keras_tuner.Objective(training.MONITORED_SCORE, "max"),
        max_trials=trials,
        num_initial_points=max(2, trials // 2),
        seed=zlib.crc32(repr((defaults, previous_searches)).encode()),
        hyperparameters=search_space(defaults),
        allow_new_entries=False,
        tune_new_entries=False,
    )


class DefaultsFirstOracle(keras_tuner.oracles.BayesianOptimizationOracle):
    """A Bayesian search whose first trial has the defaults, so that it never ends below them.

    Values that were already tried are replaced by random ones, because the same training would give
    the same scores.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the status and the values of the next trial."""
        if len(self.start_order) == 0:
            values = dict(self.hyperparameters.values)
            self._tried_so_far.add(self._compute_values_hash(values))
            return {"status": trial_module.TrialStatus.RUNNING, "values": values}
        proposed = super().populate_space(trial_id)
        if proposed["values"] is not None and self._duplicate(proposed["values"]):
            return self._random_populate_space()
        return proposed


def describe_trial(seconds: Sequence[float], trials: int) -> str:
    """Return which trial of a search starts, and how long the rest of the search may take.

    Args:
        seconds: Sequence of float. Durations of the trials that have ended.
        trials: Integer. Number of all trials.

    >>> describe_trial([], 8), describe_trial([60.0, 90.0], 8)
    ('trial 1 of 8', 'trial 3 of 8, about 7m30s left')
    """
    name = f"trial {len(seconds) + 1} of {trials}"
    if not seconds:
        return name
    left = (trials - len(seconds)) * sum(seconds) / len(seconds)
    return f"{name}, about {duration(left)} left"


@contextmanager
def _before_messages(text: str) -> Iterator[None]:
    """Put a text before the messages of the training until the block ends."""

    def add(record: logging.LogRecord) -> bool:
        record.msg, record.args = f"{text}: {record.getMessage()}", ()
        return True

    training.log.addFilter(add)
    try:
        yield
    finally:
        training.log.removeFilter(add)


class TrainingTuner(keras_tuner.Tuner):
    """A tuner that trains each trial in the same way as the Trainer.

    Args:
        training_inputs: Inputs of all trials.
        defaults: Configured hyperparameters.
        log_directory: Directory of TensorBoard's logs, with one subdirectory per trial.
        **kwargs: Arguments of `keras_tuner.Tuner`.
    """

    def __init__(
        self,
        training_inputs: run.TrainingInputs,
        defaults: HParams,
        log_directory: Path,
        **kwargs: Any,
    ) -> None:
        self.training_inputs, self.defaults = training_inputs, defaults
        self.log_directory = log_directory
        self.seconds: list[float] = []
        super().__init__(**kwargs)

    def run_trial(self, trial: trial_module.Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Train a trial, and return its scores on the eval split after the best epoch."""
        del args, kwargs  # Keras' own tuners pass them to `fit`.
        hparams = self.defaults.updated(trial.hyperparameters.values)
        name = describe_trial(self.seconds, self.oracle.max_trials)
        log.info(name)
        log_directory = self.log_directory / f"trial_{trial.trial_id}"
        started = time.monotonic()
        with _before_messages(name):
            _, history = run.train(hparams, self.training_inputs, log_directory)
        self.seconds.append(time.monotonic() - started)
        best = training.best_epoch(history)
        return {name: history[name][best] for name in (training.MONITORED_SCORE, "val_macro_f1")}
