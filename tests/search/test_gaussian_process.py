"""The process against scikit-learn's, its gradient against differences, and what it foretells."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from harness.search.gaussian_process import JITTER, Covariance, GaussianProcess, _Loss


@pytest.fixture
def seen():
    """30 rows of two columns and an epoch, and scores of mean 0 and variance 1."""
    row_ND = np.random.default_rng(0).random((30, 3))
    score_N = np.sin(4 * row_ND[:, 0]) + row_ND[:, 2]
    return row_ND, (score_N - score_N.mean()) / score_N.std()


def test_it_foretells_as_scikit_learn_does_where_the_epoch_is_the_same(seen):
    row_ND, score_N = seen
    row_ND[:, -1] = 1.0
    process = GaussianProcess(row_ND, score_N)
    at = process.covariance
    kernel = ConstantKernel(np.exp(at.height)) * Matern(np.exp(at.length_D[:-1]), nu=2.5)
    theirs = GaussianProcessRegressor(kernel, alpha=np.exp(at.noise) + JITTER, optimizer=None)
    theirs.fit(row_ND[:, :-1], score_N)
    new_MD = np.random.default_rng(1).random((7, 3))
    new_MD[:, -1] = 1.0
    mean_M, deviation_M = theirs.predict(new_MD[:, :-1], return_std=True)
    ours = process.predict(new_MD)
    np.testing.assert_allclose(ours[0], mean_M, atol=1e-5)
    np.testing.assert_allclose(ours[1], deviation_M, atol=1e-4)


def test_epochs_far_apart_tell_less_of_one_another():
    at = Covariance(np.zeros(2), -5.0, 0.0)
    here, there = np.array([[0.5, 0.0]]), np.array([[0.5, 0.0], [0.5, 0.5], [0.5, 1.0]])
    same, near, far = at.between(here, there)[0]
    assert same == pytest.approx(1)
    assert same > near > far > 0


def test_the_gradient_is_that_of_the_loss(seen):
    loss = _Loss(*seen, prior_D=np.array([-0.5, -0.5, 0.0]))
    at = np.array([-0.3, 0.2, 0.4, -4.0, 0.3])
    wrong = check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], at)
    assert wrong < 1e-4 * np.linalg.norm(loss(at)[1])


def test_it_sees_which_column_matters(seen):
    """The second one has no part in the scores: its length scale is the longest."""
    length_D = GaussianProcess(*seen).covariance.length_D
    assert length_D[1] > length_D[0] + 0.5


def test_what_is_believed_is_known_without_a_change_of_what_is_expected(seen):
    process = GaussianProcess(*seen)
    new_MD = np.array([[0.1, 0.9, 1.0], [0.8, 0.2, 0.5]])
    mean_M, deviation_M = process.predict(new_MD)
    process.believe(new_MD)
    after_M, known_M = process.predict(new_MD)
    np.testing.assert_allclose(after_M, mean_M, atol=1e-6)
    assert (known_M < deviation_M).all()
    process.believe(np.empty((0, 3)))
