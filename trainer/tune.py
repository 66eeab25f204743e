"""`tuner_fn` of the Tuner component."""

import logging
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import keras_tuner
from keras_tuner.engine import trial as trial_module
from tfx import v1 as tfx
from tfx.components.tuner.component import TunerFnResult

from trainer import run
from trainer.ensemble import training
from trainer.hparams import HParams

SEARCHED: Final[dict[str, tuple[float, ...] | tuple[str, ...]]] = {
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
"""Values that the Tuner chooses between, beside the configured ones. The sentence encoder is the
configured one or none, so that all trials share its vectors. The trees, which all trials share as
well, depend on `field_dropout`, so it is not searched."""

log = logging.getLogger(__name__)


def search_space(defaults: HParams) -> keras_tuner.HyperParameters:
    """Choices of the Tuner, the defaults among them; every combination can be trained.

    Values are chosen as they are written: steps from a lowest number give 0.30000000000000004
    beside 0.3, another setting to Keras Tuner, which would try the defaults twice.
    """
    space = keras_tuner.HyperParameters()
    for name, choices in SEARCHED.items():
        default = getattr(defaults, name)
        space.Choice(name, sorted({default, *choices}), default=default)
    return space


def tuner_fn(fn_args: tfx.components.FnArgs) -> TunerFnResult:
    """A search over `search_space` for the best mean average precision.

    `custom_config` must hold `trials`, the number of settings that are tried, and may hold
    `hparams`, as for the Trainer, and `log_directory`, where TensorBoard finds each trial, in a
    folder a search.
    """
    config: dict[str, Any] = fn_args.custom_config or {}
    defaults = run.resolve_hparams(config)
    logs = Path(config.get("log_directory", fn_args.working_dir))
    earlier = len(list(logs.glob("search-*")))
    # TensorBoard would draw the curves of two searches in one folder as one.
    search = f"search-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005 (local time for people)
    tuner = TrainingTuner(
        run.prepare(fn_args, defaults),
        defaults,
        logs / search,
        oracle=oracle(defaults, config["trials"], earlier),
        directory=fn_args.working_dir,
        project_name="trials",
        overwrite=True,
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={})


def oracle(defaults: HParams, trials: int, earlier: int = 0) -> "DefaultsFirst":
    """The oracle that chooses the settings of each trial by the highest `val_map`.

    The defaults are the first trial, and seed the others: once what a search found has become the
    defaults, the next search does not try the same settings again. Of the first half of the trials
    all but the defaults are drawn by chance. The number of `earlier` searches is part of the seed
    too, so that a search that is made again tries other settings.
    """
    return DefaultsFirst(
        objective=keras_tuner.Objective(training.MONITORED, "max"),
        max_trials=trials,
        num_initial_points=max(2, trials // 2),
        seed=zlib.crc32(repr((defaults, earlier)).encode()),
        hyperparameters=search_space(defaults),
        allow_new_entries=False,
        tune_new_entries=False,
    )


class DefaultsFirst(keras_tuner.oracles.BayesianOptimizationOracle):
    """A Bayesian search that begins with the defaults, so that it never ends below them.

    What has been tried is not tried again: a setting by chance takes the place of one at which the
    search comes back, since the same training gives the same scores.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values of the next trial."""
        if len(self.start_order) == 0:
            values = dict(self.hyperparameters.values)
            self._tried_so_far.add(self._compute_values_hash(values))
            return {"status": trial_module.TrialStatus.RUNNING, "values": values}
        proposed = super().populate_space(trial_id)
        if proposed["values"] is not None and self._duplicate(proposed["values"]):
            return self._random_populate_space()
        return proposed


class TrainingTuner(keras_tuner.Tuner):
    """Trains each trial exactly as the Trainer does."""

    def __init__(
        self, prepared: run.Prepared, defaults: HParams, log_directory: Path, **kwargs: Any
    ) -> None:
        self.prepared, self.defaults, self.log_directory = prepared, defaults, log_directory
        super().__init__(**kwargs)

    def run_trial(self, trial: trial_module.Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Train one setting; return the scores of its best pass on the eval split."""
        del args, kwargs  # what Keras' own tuners hand to `fit`
        hparams = self.defaults.changed(trial.hyperparameters.values)
        log.info("trial %d of %d", int(trial.trial_id) + 1, self.oracle.max_trials)
        folder = self.log_directory / f"trial_{trial.trial_id}"
        _, history = run.train(hparams, self.prepared, folder)
        best = training.best_pass(history)
        return {name: history[name][best] for name in (training.MONITORED, "val_macro_f1")}
