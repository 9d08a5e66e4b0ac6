"""EASE: each recipe is predicted from all the others a cook met, by ridge regression with a closed form."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from recipes.errors import BadInteractions

Weights = NDArray[np.float32]
_COLUMNS_AT_ONCE = 512


def gram(matrix: sp.csr_matrix, *, power: float) -> Weights:
    """How often two recipes met in a cook's history, each cook counting by (sum of the history's weights) ** -power.

    Plain EASE has the power 0: a cook of 1,000 recipes decides as much as 400 cooks of 50, since pairs grow with the
    square. With 0.5 that is 89 cooks of 50.

    Args:
        matrix: shape (n_users, n_recipes), no negative weight.
        power: 0 to 1.
    Returns:
        Shape (n_recipes, n_recipes), symmetric.
    """
    lengths = np.asarray(matrix.sum(axis=1)).ravel()
    shares = np.where(lengths > 0, lengths, 1.0) ** -power
    counted = (sp.diags(shares) @ matrix).T.tocsr()
    together = np.empty((matrix.shape[1], matrix.shape[1]), np.float32)
    # In blocks: the sparse product of all columns would take twice the memory of the dense result.
    columns = matrix.tocsc()
    for start in range(0, matrix.shape[1], _COLUMNS_AT_ONCE):
        block = slice(start, start + _COLUMNS_AT_ONCE)
        together[:, block] = (counted @ columns[:, block]).toarray()
    return together


def ease_weights(together: Weights, *, ridge: float) -> Weights:
    """B of Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data": ``B[i, j] = -P[i, j] / P[j, j]``.

    P is the inverse of ``together + ridge * I``; the diagonal of B is 0, so that no recipe speaks for itself.

    Args:
        together: as from :func:`gram`, or any symmetric matrix without a negative eigenvalue.
        ridge: above 0; more of it trusts pairs less.
    Returns:
        Shape (n_recipes, n_recipes): what having met the recipe of the row says for the recipe of the column.
    Raises:
        BadInteractions: the ridge is not above 0.
    """
    if not ridge > 0:
        raise BadInteractions(f"ridge must be above 0, got {ridge}")
    work = together.astype(np.float32, order="F")
    work[np.diag_indices_from(work)] += np.float32(ridge)
    factor, failed = lapack.spotrf(work, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise BadInteractions(
            f"together must have no negative eigenvalue; with a ridge of {ridge} it is not invertible"
        )
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    weights: Weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights
