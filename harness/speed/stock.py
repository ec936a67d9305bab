"""The stock way to search the same work: Ray's own Tuner, OptunaSearch, ASHA and MLflow callback.

Its training function is the harness's own `run_trial`; all around it is as Ray's guides have it.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

from harness.core.machine import Machine
from harness.core.parameters import Choice, IntRange, Parameter
from harness.core.recipe import Recipe
from harness.core.records import EpochReport
from harness.core.run_dir import RunDirectory
from harness.core.selection import SCORE
from harness.core.space import SearchSpace
from harness.speed.trivial_search import TrivialSearch

RECORDS = "runs/*/record.json"
"""Where in a work's folder the records of the trials lie."""

OURS = (
    "RAY_AIR_NEW_OUTPUT", "RAY_CHDIR_TO_TRIAL_DIR", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS",
    "TUNE_DISABLE_SIGINT_HANDLER", "TUNE_DISABLE_STRICT_METRIC_CHECKING",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S",
)  # fmt: skip
"""Settings of Ray that the harness makes for its own searches; a stock search goes without."""


def start() -> int:
    """Start Ray as it comes, only quieter; the number of trials that it has room for."""
    for name in OURS:
        os.environ.pop(name, None)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    import ray

    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    return int(ray.cluster_resources()["CPU"])


def search(work: TrivialSearch, *, reuse_actors: bool | None = None) -> None:
    """Search the space of `work` with as many trials as it says; `reuse_actors` None as Ray has it.

    Each trial's run directory lies in `work.folder`, as MLflow's database does.
    """
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    space = work.space
    reuse = {} if reuse_actors is None else {"reuse_actors": reuse_actors}
    never = space.base.train.epochs + 1  # a trial that is cut short has no record to compare
    tracking = f"sqlite:///{work.folder / 'mlflow.db'}"
    tune.Tuner(
        tune.with_resources(partial(train, base=_base_of(work), folder=work.folder), {"cpu": 1}),
        param_space=param_space(space),
        tune_config=tune.TuneConfig(
            metric=SCORE,
            mode="max",
            num_samples=work.num_trials,
            search_alg=OptunaSearch(),
            scheduler=ASHAScheduler(time_attr="epoch", grace_period=never, max_t=never),
            **reuse,
        ),
        run_config=tune.RunConfig(
            name="stock",
            storage_path=str(work.folder / "ray"),
            callbacks=[MLflowLoggerCallback(tracking, experiment_name="stock")],
            verbose=0,
        ),
    ).fit()


def train(config: dict[str, Any], *, base: dict[str, Any], folder: Path) -> None:
    """What a stock worker does: the recipe at the sampled point, each epoch told to Ray."""
    from ray import tune

    from harness.trial import run_trial

    recipe = Recipe.model_validate(base["recipe"]).with_values(config)

    def report(epoch: EpochReport) -> None:
        tune.report({"epoch": epoch.epoch} | epoch.metrics)

    run = RunDirectory(folder / "runs" / tune.get_context().get_trial_id())
    run_trial(recipe, Machine(store=Path(base["store"]), device="cpu"), run.path, report)


def param_space(space: SearchSpace) -> dict[str, Any]:
    """The parameters of a space as Ray has them."""
    return {path: _domain(parameter) for path, parameter in space.parameters.items()}


def _domain(parameter: Parameter) -> Any:
    from ray import tune

    if isinstance(parameter, Choice):
        return tune.choice(list(parameter.choices))
    if isinstance(parameter, IntRange):
        kind = tune.lograndint if parameter.is_log else tune.randint
        return kind(parameter.low, parameter.high + 1)
    kind = tune.loguniform if parameter.is_log else tune.uniform
    return kind(parameter.low, parameter.high)


def _base_of(work: TrivialSearch) -> dict[str, Any]:
    from harness.data.store import ImageStore

    store = ImageStore.open(work.store)
    recipe = work.space.base.with_values({"data.store": store.fingerprint})
    return {"recipe": recipe.model_dump(mode="json"), "store": str(store.path)}
