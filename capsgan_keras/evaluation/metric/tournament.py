"""A generative adversarial metric for any number of runs: every pair of models, every seed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from capsgan_keras.checks import (
    check_callable,
    check_kind,
    check_not_negative,
    check_positive,
    check_seed,
)
from capsgan_keras.evaluation.images import check_uint8_images
from capsgan_keras.evaluation.metric.cuts import outputs_of, resolve_cut
from capsgan_keras.evaluation.metric.gam import decide_winner, ratio
from capsgan_keras.evaluation.metric.scores import (
    ComparableGAN,
    area_under_curve,
    generate_images,
    score_images,
)
from capsgan_keras.evaluation.record import Record
from capsgan_keras.html import html_table

_SMALLEST = 1e-7
"""The smallest probability in a logarithm: Keras's epsilon, as in its cross-entropy."""


@dataclass(frozen=True)
class TournamentRow(Record):
    """What one discriminator says of all generators; see `tournament`.

    Attributes:
        name: The discriminator's run.
        cut: Score from which on it calls an image real.
        on_test: Share of the test images that it scores at or above the cut.
        on_samples: For each run, the share of its images scored below the cut.
        auc: For each run, the area under the ROC curve between the test images and its images.
        log_on_test: Mean of log p over the test images, p being the probability of being real, at
            least 1e-7; None where the discriminator gives no probabilities, and in files of
            earlier versions.
        log_on_samples: For each run, the mean of log(1 - p) over its images; None likewise.
    """

    name: str
    cut: float
    on_test: float
    on_samples: dict[str, float]
    auc: dict[str, float]
    log_on_test: float | None = None
    log_on_samples: dict[str, float] | None = None


@dataclass(frozen=True)
class TournamentResult(Record):
    """All discriminators against all generators, and the arguments kept; see `tournament`.

    Attributes:
        rows: One for each discriminator.
    """

    rows: tuple[TournamentRow, ...]
    tolerance: float
    n_samples: int
    n_test: int
    seed: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the runs."""
        return tuple(row.name for row in self.rows)

    @property
    def accuracies(self) -> np.ndarray:
        """Accuracy of discriminator i on generator j's images, `(n, n)`."""
        return np.array([[row.on_samples[name] for name in self.names] for row in self.rows])

    @property
    def test_accuracies(self) -> np.ndarray:
        """Accuracy of discriminator i on the test images, `(n,)`."""
        return np.array([row.on_test for row in self.rows])

    @property
    def aucs(self) -> np.ndarray:
        """Area under the ROC curve of discriminator i for generator j, `(n, n)`."""
        return np.array([[row.auc[name] for name in self.names] for row in self.rows])

    def _rows_of(self, a: str, b: str) -> dict[str, TournamentRow]:
        rows = {row.name: row for row in self.rows}
        if not {a, b} <= set(rows):
            raise ValueError(
                f"`a` and `b` must be runs of the tournament, {list(rows)}. "
                f"Received: a={a!r}, b={b!r}"
            )
        return rows

    def compare(self, a: str, b: str) -> dict[str, Any]:
        """Apply the metric to two of the runs.

        In the paper a is the convolutional GAN and b the CapsuleGAN.

        Returns:
            `a`, `b`, `r_samples` and `r_test` (None where the denominator is zero) and `winner`
            (`"a"`, `"b"` or `"tie"`).

        Raises:
            ValueError: If `a` or `b` is no run of the tournament; likewise in `battle` and
                `log_ratio`.
        """
        rows = self._rows_of(a, b)
        on_samples = rows[a].on_samples[b], rows[b].on_samples[a]
        on_test = rows[a].on_test, rows[b].on_test
        return {
            "a": a,
            "b": b,
            "r_samples": ratio(*on_samples),
            "r_test": ratio(*on_test),
            "winner": decide_winner(on_samples, on_test, self.tolerance),
        }

    def compare_groups(self, group_a: Sequence[str], group_b: Sequence[str]) -> dict[str, Any]:
        """Apply the metric to every pair of a run of one group and a run of the other.

        A group is a list of names of runs, for instance of all seeds of one model.

        Returns:
            `pairs` (what `compare` returns), `wins` (number of pairs won by `a`, by `b` and
            tied), and for `r_samples` and `r_test` a dictionary of `mean`, `deviation` (n - 1;
            None for a single pair) and `undefined`, the number of pairs left out because the
            denominator is zero.

        Raises:
            ValueError: If a group is empty, or a run is named twice or unknown.
        """
        check_kind((list, tuple), "a list of names", group_a=group_a, group_b=group_b)
        if not group_a or not group_b or len({*group_a, *group_b}) < len(group_a) + len(group_b):
            raise ValueError(
                "`group_a` and `group_b` must name runs, each once. "
                f"Received: group_a={group_a}, group_b={group_b}"
            )
        pairs = [self.compare(a, b) for a in group_a for b in group_b]
        winners = [pair["winner"] for pair in pairs]
        return {
            "pairs": pairs,
            "wins": {side: winners.count(side) for side in ("a", "b", "tie")},
            "r_samples": _summary([pair["r_samples"] for pair in pairs]),
            "r_test": _summary([pair["r_test"] for pair in pairs]),
        }

    def battle(self, a: str, b: str) -> str:
        """Return the winner, `"a"` or `"b"`, as the code of the metric's inventors decides it.

        Their `battle.py` (Im et al., arXiv 1602.05110) asks for `r_samples` alone: a wins where
        it is above 1, and b in all other cases. It has no tie, and only prints `r_test`.
        """
        rows = self._rows_of(a, b)
        return "a" if rows[a].on_samples[b] > rows[b].on_samples[a] else "b"

    def error_rates(self, groups: Sequence[Sequence[str]] | None = None) -> dict[str, np.ndarray]:
        """Return how often other models' discriminators take a generator's images for real.

        This is GAM-II (Im et al., "Generative Adversarial Parallelization", arXiv 1612.04021).
        It has no test images in it, and no ratio. Higher is better for the generator.

        Args:
            groups: Names of the runs of each model; a run's opponents are those of other models.
                By default each run is a model of its own.

        Returns:
            `"average"` and `"worst"`: for each run, in the order of `names`, the mean and the
            smallest error over its opponents' discriminators, `(n,)`.

        Raises:
            ValueError: If the groups do not hold each run once, or there is only one.
        """
        groups = [[name] for name in self.names] if groups is None else groups
        check_kind((list, tuple), "a list of lists of names", groups=groups)
        for group in groups:
            check_kind((list, tuple), "a list of lists of names", groups=group)
        group_of = {name: index for index, group in enumerate(groups) for name in group}
        if sorted(name for group in groups for name in group) != sorted(self.names):
            raise ValueError(
                f"`groups` must hold each run once: {list(self.names)}. Received: {groups}"
            )
        if len(groups) < 2 or not all(groups):
            raise ValueError(f"`groups` must be two or more, none empty. Received: {groups}")
        model = np.array([group_of[name] for name in self.names])
        errors = np.ma.array(1 - self.accuracies, mask=model[:, np.newaxis] == model)
        return {"average": errors.mean(axis=0).data, "worst": errors.min(axis=0).data}

    def log_ratio(self, a: str, b: str) -> float | None:
        """Return the log ratio of the players' objectives: above 0 where b's generator is better.

        This is the generative multi-adversarial metric (Durugkar et al., arXiv 1611.01673) for one
        discriminator each: `log((V(D_a, G_b) / V(D_a, G_a)) / (V(D_b, G_a) / V(D_b, G_b)))` with
        V the objective of the original GAN, `mean(log D(x)) + mean(log(1 - D(G(z))))`, x being
        the test images. No cut has a part in it.

        Returns:
            The number; None where a discriminator gives no probabilities, or the result was made
            by an earlier version.
        """
        rows = self._rows_of(a, b)

        def objective(player: str, generator: str) -> float | None:
            row = rows[player]
            if row.log_on_test is None or row.log_on_samples is None:
                return None
            return row.log_on_test + row.log_on_samples[generator]

        pairs = (a, b), (b, b), (a, a), (b, a)
        values = [value for value in (objective(*pair) for pair in pairs) if value]
        if len(values) < len(pairs):  # not known, or the log ratio of zero
            return None
        on_b, b_on_own, a_on_own, on_a = values
        return float(np.log((on_b * b_on_own) / (a_on_own * on_a)))

    def ratings(self) -> dict[str, np.ndarray]:
        """Return ratings of all generators and discriminators as players of one tournament.

        Each image is a game between its generator and a discriminator, which wins where it calls
        the image generated. A rating of 400 points more means odds of ten to one, as in chess
        (Bradley and Terry 1952; Elo 1978). The idea of rating both players of GANs is that of
        Olsson et al., "Skill rating for generative models", arXiv 1808.04888. A discriminator
        does not play against the generator that it was trained with. So two runs play two games
        that have no player in common: then compare ratings of at least two runs of each model.

        Returns:
            `"generators"` and `"discriminators"`, in the order of `names`, `(n,)`; the mean of all
            is 0.
        """
        n = len(self.rows)
        players, opponents = np.nonzero(~np.eye(n, dtype=bool))
        games = np.eye(2 * n)[players] - np.eye(2 * n)[n + opponents]
        won = self.accuracies[players, opponents] * self.n_samples
        # A weak prior: nobody who wins every game is rated infinitely high.
        model = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8, max_iter=10_000)
        model.fit(
            np.concatenate([games, games]),
            np.repeat([1, 0], len(games)),
            np.concatenate([won, self.n_samples - won]),
        )
        points = model.coef_[0] * 400 / np.log(10)
        return {"generators": points[n:], "discriminators": points[:n]}

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON can hold it, every ordered pair's ratios included."""
        pairs = [self.compare(a, b) for a in self.names for b in self.names if a != b]
        return {"names": list(self.names), "pairs": pairs} | super().to_dict()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the accuracy of each discriminator on all images."""
        header = ["accuracy of", "cut", "test images", *(f"images of {n}" for n in self.names)]
        rows = [
            (row.name, row.cut, row.on_test, *(row.on_samples[name] for name in self.names))
            for row in self.rows
        ]
        return html_table(header, rows, f"{self.n_samples:,} images of each generator")


def tournament(
    runs: Mapping[str, ComparableGAN],
    x_test: np.ndarray,
    n_samples: int = 10_000,
    cut: str | float | Mapping[str, str | float] = "paper",
    seed: int | None = 0,
    *,
    tolerance: float = 0.1,
    batch_size: int = 1_000,
    finished: Iterable[TournamentRow] = (),
    on_row: Callable[[TournamentRow], object] | None = None,
) -> TournamentResult:
    """Let all discriminators score the images of all generators, their own included.

    Args:
        runs: The models by name (see `generative_adversarial_metric`). A mapping that loads a
            model when asked for it works too: each is asked for twice.
        x_test: uint8 real images `(n, height, width, channels)`.
        n_samples: Number of images that each model generates.
        cut: `"paper"`, `"calibrated"`, a number, or a mapping from names to any of these.
        seed: Seed of all models' images.
        tolerance: How far from 1 `r_test` may be for there to be a winner.
        batch_size: Images scored at a time; does not change the result.
        finished: Rows of an interrupted call with the same data and settings. They are not
            computed again, unless a generator is missing from them.
        on_row: Function that is called with each row as it is finished.

    Raises:
        ValueError: If there are fewer than two runs, images or scores are not of the stated
            form, or a cut cannot be had.

    Example:

    ```python
    import numpy as np
    from capsgan_keras import CapsuleGAN
    from capsgan_keras.evaluation import tournament
    x_test = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), np.uint8)
    runs = {f"seed{seed}": CapsuleGAN((16, 16, 1), latent_dim=4, seed=seed) for seed in (0, 1)}
    result = tournament(runs, x_test, n_samples=20)
    print(result.accuracies, result.rows[0].auc, result.compare("seed0", "seed1")["winner"])
    ```
    """
    check_positive(n_samples=n_samples, batch_size=batch_size)
    seed = check_seed(seed)
    check_not_negative(tolerance=tolerance)
    check_kind(Mapping, "a dictionary of models by their names", runs=runs)
    check_callable(on_row=on_row)
    names = list(runs)
    if len(names) < 2:
        raise ValueError(f"`runs` must hold two models or more. Received: runs={names}")
    x_test = check_uint8_images("x_test", x_test)
    if isinstance(cut, Mapping) and not set(names) <= set(cut):
        raise ValueError(f"`cut` must name all of {names}. Received: cut={cut!r}")
    rows = {row.name: row for row in finished if set(names) <= set(row.on_samples)}
    samples = {}
    if not set(names) <= set(rows):
        samples = {
            name: generate_images(runs[name], name, n_samples, seed, x_test) for name in names
        }
    for name in names:
        if name in rows:
            continue
        model = runs[name]
        its_cut = resolve_cut(cut[name] if isinstance(cut, Mapping) else cut, model, name)
        on_test = score_images(model, name, x_test, batch_size)
        on_samples = {run: score_images(model, name, x, batch_size) for run, x in samples.items()}
        rows[name] = TournamentRow(
            name=name,
            cut=its_cut,
            on_test=float((on_test >= its_cut).mean()),
            on_samples={
                run: float((scores < its_cut).mean()) for run, scores in on_samples.items()
            },
            auc={run: area_under_curve(scores, on_test) for run, scores in on_samples.items()},
            **_log_means(model, on_test, on_samples),
        )
        if on_row is not None:
            on_row(rows[name])
    return TournamentResult(
        rows=tuple(rows[name] for name in names),
        tolerance=float(tolerance),
        n_samples=int(n_samples),
        n_test=len(x_test),
        seed=seed,
    )


def _log_means(
    model: ComparableGAN, on_test: np.ndarray, on_samples: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    if outputs_of(model) == "score":
        return {}

    def mean(probabilities: np.ndarray) -> float:
        return float(np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST)).mean())

    return {
        "log_on_test": mean(on_test),
        "log_on_samples": {run: mean(1.0 - scores) for run, scores in on_samples.items()},
    }


def _summary(ratios: Sequence[float | None]) -> dict[str, float | int | None]:
    defined = [value for value in ratios if value is not None]
    return {
        "mean": float(np.mean(defined)) if defined else None,
        "deviation": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        "undefined": len(ratios) - len(defined),
    }
