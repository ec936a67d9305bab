"""A Gaussian process over points and epochs, small enough to be fitted anew for every trial.

The covariance is a product of Matern kernels (nu = 5/2): one over the columns of a point, each with
a length scale of its own, and one over the logarithm of the epoch. So a score after few epochs
tells of one after many, as far as the scores of the search itself have shown it to. This is the
model of Klein, Tiao, Lienart, Archambeau, Seeger 2020, "Model-based Asynchronous Hyperparameter
and Neural Architecture Search" (MOBSTER, arXiv 2003.10865), which joined it to asynchronous
successive halving.

Hyperparameters are at the maximum of the posterior, found by L-BFGS with exact gradients
(Rasmussen, Williams 2006, "Gaussian Processes for Machine Learning", section 5.4.1). Given the same
rows, the same process.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

FloatArray = NDArray[np.float64]

MAX_ITERATIONS = 25
JITTER = 1e-6
LENGTH_PRIOR = np.log(0.6)
"""Of a point's columns, from 0 to 1; the epoch's is 1, all of the training. Log scale, sd 1."""
NOISE_PRIOR = (np.log(1e-2), 2.0)
"""Of the variance, where scores have variance 1."""
LOG_LENGTH_BOUNDS = (-4.0, 4.0)
LOG_NOISE_BOUNDS = (np.log(1e-5), 0.0)
LOG_HEIGHT_BOUNDS = (-3.0, 3.0)


@dataclass(frozen=True)
class Covariance:
    """Hyperparameters as logarithms: length scales of all columns, noise, and the height."""

    length_D: FloatArray
    noise: float
    height: float

    @classmethod
    def unpack(cls, theta: FloatArray) -> Self:
        return cls(theta[:-2], float(theta[-2]), float(theta[-1]))

    def between(self, row_ND: FloatArray, other_MD: FloatArray) -> FloatArray:
        """The covariance of noiseless scores at N and M rows; the last column is the epoch's."""
        row_ND, other_MD = row_ND * np.exp(-self.length_D), other_MD * np.exp(-self.length_D)
        a, b = row_ND[:, :-1], other_MD[:, :-1]
        square_NM = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
        apart_NM = np.abs(row_ND[:, -1:] - other_MD[:, -1])
        return np.exp(self.height) * _matern(_root(square_NM)) * _matern(apart_NM)


class GaussianProcess:
    """What scores of mean 0 and variance 1 tell of others.

    Args:
        row_ND: Points and, in the last column, log(epoch) / log(last epoch); N x D.
        score_N: The scores there.
    """

    def __init__(self, row_ND: FloatArray, score_N: FloatArray) -> None:
        self.row_ND, self.score_N = row_ND, score_N
        self.covariance = _fit(row_ND, score_N)
        self._factor()

    def believe(self, row_MD: FloatArray) -> None:
        """Take the scores expected at rows as seen: there is no need to look there again.

        Ginsbourger, Le Riche, Carraro 2010, "Kriging Is Well-Suited to Parallelize Optimization".
        """
        if len(row_MD) == 0:
            return
        expected_M, _ = self.predict(row_MD)
        self.row_ND = np.concatenate([self.row_ND, row_MD])
        self.score_N = np.concatenate([self.score_N, expected_M])
        self._factor()

    def predict(self, row_MD: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the noiseless scores at rows."""
        cross_MN = self.covariance.between(row_MD, self.row_ND)
        solved_NM = linalg.solve_triangular(self._lower_NN, cross_MN.T, lower=True)
        variance_M = np.exp(self.covariance.height) - (solved_NM**2).sum(0)
        return cross_MN @ self._weight_N, np.sqrt(np.maximum(variance_M, 1e-10))

    def _factor(self) -> None:
        covariance_NN = self.covariance.between(self.row_ND, self.row_ND)
        covariance_NN[np.diag_indices_from(covariance_NN)] += np.exp(self.covariance.noise) + JITTER
        self._lower_NN = linalg.cholesky(covariance_NN, lower=True)
        self._weight_N = linalg.cho_solve((self._lower_NN, True), self.score_N)


def _matern(distance: FloatArray) -> FloatArray:
    scaled = np.sqrt(5) * distance
    result: FloatArray = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return result


def _root(square: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(square, 1e-12))


def _fit(row_ND: FloatArray, score_N: FloatArray) -> Covariance:
    num_columns = row_ND.shape[1]
    prior_D = np.append(np.full(num_columns - 1, LENGTH_PRIOR), 0.0)
    loss = _Loss(row_ND, score_N, prior_D)
    found = optimize.minimize(
        loss,
        np.append(prior_D, [NOISE_PRIOR[0], 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[LOG_LENGTH_BOUNDS] * num_columns + [LOG_NOISE_BOUNDS, LOG_HEIGHT_BOUNDS],
        options={"maxiter": MAX_ITERATIONS},
    )
    return Covariance.unpack(found.x)


class _Loss:
    """The negative logarithm of the posterior of the hyperparameters, and its gradient."""

    def __init__(self, row_ND: FloatArray, score_N: FloatArray, prior_D: FloatArray) -> None:
        self.square_NND = (row_ND[:, None, :] - row_ND[None, :, :]) ** 2
        self.score_N = score_N
        self.prior_D = prior_D

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        at = Covariance.unpack(theta)
        inverse_D, noise = np.exp(-2 * at.length_D), np.exp(at.noise)
        point_NN = _root(self.square_NND[:, :, :-1] @ inverse_D[:-1])
        epoch_NN = _root(self.square_NND[:, :, -1] * inverse_D[-1])
        of_point, of_epoch = _matern(point_NN), np.exp(at.height) * _matern(epoch_NN)
        covariance_NN = of_point * of_epoch
        identity = np.eye(len(self.score_N))
        try:
            lower_NN = linalg.cholesky(covariance_NN + (noise + JITTER) * identity, lower=True)
        except linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse_NN = linalg.cho_solve((lower_NN, True), identity)
        weight_N = inverse_NN @ self.score_N
        loss = 0.5 * self.score_N @ weight_N + np.log(np.diag(lower_NN)).sum()
        pull_NN = 0.5 * (inverse_NN - np.outer(weight_N, weight_N))  # d loss / d covariance
        by_point = np.tensordot(
            pull_NN * of_epoch * _slope(point_NN), self.square_NND[:, :, :-1], axes=2
        )
        by_epoch = (
            pull_NN * np.exp(at.height) * of_point * _slope(epoch_NN) * self.square_NND[:, :, -1]
        ).sum()
        gradient = np.concatenate(
            [
                np.append(by_point, by_epoch) * inverse_D,
                [noise * np.trace(pull_NN), (pull_NN * covariance_NN).sum()],
            ]
        )
        prior, prior_gradient = self._prior(at)
        return float(loss + prior), gradient + prior_gradient

    def _prior(self, at: Covariance) -> tuple[float, FloatArray]:
        length_D = at.length_D - self.prior_D
        mean, deviation = NOISE_PRIOR
        noise = (at.noise - mean) / deviation
        loss = 0.5 * float(length_D @ length_D + noise**2 + at.height**2)
        return loss, np.concatenate([length_D, [noise / deviation, at.height]])


def _slope(distance: FloatArray) -> FloatArray:
    """What a squared scaled distance, times itself, adds: d matern / d log(length) per square."""
    scaled = np.sqrt(5) * distance
    result: FloatArray = 5 / 3 * (1 + scaled) * np.exp(-scaled)
    return result
