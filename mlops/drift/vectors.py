"""Embeddings and texts: can a classifier tell the two windows apart?"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.drift.numeric import FloatArray, NumericSummary, compare_numeric
from mlops.drift.numeric import summarise as summarise_numbers
from mlops.drift.options import DriftOptions
from mlops.drift.result import DriftResult, without_enough_data
from mlops.errors import DriftError

Encoder = Callable[[Sequence[str]], NDArray[Any]]

MEASURE = "2 AUC - 1 of a domain classifier"
TEST = "permutation of the labels"
PROJECTED_MEASURE = "largest of Wasserstein / sd and KS D, over projections"
PROJECTED_TEST = "Kolmogorov–Smirnov on projections, Bonferroni"
N_FOLDS = 5
N_PROJECTIONS = 16
# Profiles of different days must look along the same directions.
_PROJECTION_SEED = 20_260
_HASHED_DIMENSIONS = 256
_BLOCK = 250


@dataclass(frozen=True, slots=True, eq=False)
class VectorSummary:
    """A column of vectors as a comparison needs it.

    Attributes:
        kind: "embedding" or "text".
        rows: a random sample, shape (n_sample, n_dimensions); None in a profile, which has projections only.
        projections: along fixed random directions, as many as N_PROJECTIONS.
        n_dimensions: of the vectors.
        n, n_missing: rows with a vector, and without one.
        lengths: of texts, in words.
    """

    kind: str
    rows: FloatArray | None
    projections: Sequence[NumericSummary]
    n_dimensions: int
    n: int
    n_missing: int
    lengths: NumericSummary | None = None


def sample_rows(n: int, *, max_rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of at most *max_rows* of *n* rows, drawn without replacement, in order."""
    return np.sort(rng.choice(n, max_rows, replace=False)) if n > max_rows else np.arange(n)


def summarise_vectors(rows: FloatArray, *, n_missing: int, max_rows: int, rng: np.random.Generator) -> VectorSummary:
    """*rows*, shape (n, n_dimensions); a sample of them is kept."""
    sample = rows[sample_rows(len(rows), max_rows=max_rows, rng=rng)]
    return VectorSummary("embedding", sample, _projections(sample), rows.shape[1], len(rows), n_missing)


def summarise_texts(values: Any, *, encode: Encoder, max_rows: int, rng: np.random.Generator) -> VectorSummary:
    """*values*, an Arrow array of text; only a sample of them is encoded.

    Raises:
        DriftError: *encode* did not give one vector of finite numbers for each text.
    """
    present = values.drop_null()
    texts = present.take(sample_rows(len(present), max_rows=max_rows, rng=rng)).to_pylist()
    rows = np.asarray(encode(texts), dtype=np.float64)
    if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
        raise DriftError(f"an encoder must give {len(texts)} vectors of finite numbers, got shape {rows.shape}")
    lengths = summarise_numbers(np.array([len(text.split()) for text in texts], dtype=np.float64))
    return VectorSummary(
        "text", rows, _projections(rows), rows.shape[1], len(present), values.null_count, lengths=lengths
    )


def hashed_words(texts: Sequence[str]) -> FloatArray:
    """Texts as vectors of unit length: counts of their words, hashed into 256 dimensions.

    Needs no model, sees a change of words or of language, and knows nothing of meaning. An empty text is all zeros.
    """
    vectors = np.zeros((len(texts), _HASHED_DIMENSIONS))
    for row, text in zip(vectors, texts, strict=True):
        for word in text.casefold().split():
            row[zlib.crc32(word.encode()) % _HASHED_DIMENSIONS] += 1.0
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def auc(scores: FloatArray, is_current: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area under the ROC curve for each labelling, ties counted half.

    Args:
        scores: shape (n_rows, n_labellings).
        is_current: the same shape, with both labels in each column.
    """
    from scipy.stats import rankdata

    n_current = is_current.sum(axis=0)
    ranks = np.where(is_current, rankdata(scores, axis=0), 0.0).sum(axis=0)
    area: FloatArray = (ranks - n_current * (n_current + 1) / 2) / (n_current * (len(scores) - n_current))
    return area


def domain_auc(
    reference: FloatArray, current: FloatArray, *, n_permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """How well a linear classifier tells *current* from *reference*, and p under permuted labels.

    Ridge regression on standardised dimensions, scored on rows it was not fitted to (5 folds). It is linear in the
    labels, so that one fit serves all permutations.

    Args:
        reference, current: shape (n, n_dimensions) and (m, n_dimensions), n and m at least 5.

    Returns:
        AUC, 0.5 where they cannot be told apart; and p, never below 1 / (n_permutations + 1).
    """
    rows, labels = _pooled(reference, current)
    scorer = _held_out_scorer(rows, rng)
    blocks = _labellings(labels, n_permutations, rng)
    areas = np.concatenate([auc(scorer @ block.astype(np.float64), block) for block in blocks])
    return float(areas[0]), _rank_p(areas)


def maximum_mean_discrepancy(
    reference: FloatArray, current: FloatArray, *, n_permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Unbiased squared MMD (Gretton et al. 2012) and its p under permuted labels.

    The kernel is Gaussian, as wide as the median distance of the pooled rows. It sees changes of shape, which a
    linear classifier cannot.
    """
    rows, labels = _pooled(reference, current)
    kernel = _gaussian(rows)
    blocks = _labellings(labels, n_permutations, rng)
    values = np.concatenate([_mmd2(kernel, block.astype(np.float64), len(current)) for block in blocks])
    return float(values[0]), _rank_p(values)


def compare_vectors(
    column: str,
    reference: VectorSummary,
    current: VectorSummary,
    *,
    options: DriftOptions,
    n_permutations: int | None = None,
) -> DriftResult:
    """How far the vectors of *column* moved: by a classifier, or along projections where only a profile is left.

    Raises:
        DriftError: the two sides have different dimensions.
    """
    if reference.n_dimensions != current.n_dimensions:
        raise DriftError(f"{column} has {reference.n_dimensions} dimensions before and {current.n_dimensions} now")
    if reference.rows is None or current.rows is None:
        return _compare_projections(column, reference, current, options=options)
    n, m = reference.n, current.n
    if min(n, m) < max(options.minimum_n, N_FOLDS):
        return without_enough_data(
            column, reference.kind, measure=MEASURE, test=TEST, options=options, n_reference=n, n_current=m
        )
    rng = np.random.default_rng([options.seed, zlib.crc32(column.encode())])
    n_permutations = n_permutations or options.n_permutations
    area, p = domain_auc(reference.rows, current.rows, n_permutations=n_permutations, rng=rng)
    mmd, mmd_p = maximum_mean_discrepancy(reference.rows, current.rows, n_permutations=n_permutations, rng=rng)
    details = {"auc": area, "mmd2": mmd, "mmd_p": mmd_p, "n_rows_used": len(reference.rows) + len(current.rows)}
    return DriftResult(
        column, reference.kind, MEASURE, max(0.0, 2 * area - 1), options.threshold, TEST, p, p, options.alpha, n, m,
        details,
    )  # fmt: skip


def _compare_projections(
    column: str, reference: VectorSummary, current: VectorSummary, *, options: DriftOptions
) -> DriftResult:
    pairs = zip(reference.projections, current.projections, strict=True)
    results = [compare_numeric(column, before, now, options=options) for before, now in pairs]
    judged = [(result.score, result.p) for result in results if result.score is not None and result.p is not None]
    n, m = reference.n, current.n
    if not judged:
        return without_enough_data(
            column, reference.kind, measure=PROJECTED_MEASURE, test=PROJECTED_TEST, options=options,
            n_reference=n, n_current=m,
        )  # fmt: skip
    p = min(1.0, len(judged) * min(p for _, p in judged))
    return DriftResult(
        column, reference.kind, PROJECTED_MEASURE, max(score for score, _ in judged), options.threshold,
        PROJECTED_TEST, p, p, options.alpha, n, m, {"n_projections": len(judged)},
    )  # fmt: skip


def _projections(rows: FloatArray) -> tuple[NumericSummary, ...]:
    return tuple(summarise_numbers(along) for along in (rows @ _directions(rows.shape[1])).T)


def _directions(n_dimensions: int) -> FloatArray:
    directions = np.random.default_rng([_PROJECTION_SEED, n_dimensions]).normal(size=(n_dimensions, N_PROJECTIONS))
    unit: FloatArray = directions / np.linalg.norm(directions, axis=0)
    return unit


def _pooled(reference: FloatArray, current: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    rows = np.concatenate([reference, current])
    sd = rows.std(axis=0)
    rows = (rows - rows.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return rows, np.arange(len(rows)) >= len(reference)


def _labellings(labels: NDArray[np.bool_], n: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """The labels as they are in the first column, shuffled in *n* more, some hundred columns at a time."""
    yield labels[:, None]
    for start in range(0, n, _BLOCK):
        yield rng.permuted(np.tile(labels, (min(_BLOCK, n - start), 1)), axis=1).T


def _held_out_scorer(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The matrix that makes of labels, as numbers, the score of each row by a ridge fitted to the other folds."""
    scorer = np.zeros((len(rows), len(rows)))
    ridge = float(np.square(rows).sum()) / len(rows) or 1.0
    for fold in np.array_split(rng.permutation(len(rows)), N_FOLDS):
        rest = np.setdiff1d(np.arange(len(rows)), fold)
        weights = _ridge_weights(rows[rest], rows[fold], ridge)
        # Labels around their mean: ranks are compared across folds, so that all must start at the same level.
        scorer[np.ix_(fold, rest)] = weights - weights.mean(axis=1, keepdims=True)
    return scorer


def _mmd2(kernel: FloatArray, labellings: FloatArray, n_current: int) -> FloatArray:
    n = len(kernel) - n_current
    # The kernel's diagonal is zero: z'Kz counts each pair of one side twice, and no row with itself.
    within = np.einsum("ij,ij->j", labellings, kernel @ labellings)
    touching = kernel.sum(axis=0) @ labellings
    across, others = touching - within, kernel.sum() - 2 * touching + within
    values: FloatArray = within / (n_current * (n_current - 1)) + others / (n * (n - 1)) - 2 * across / (n_current * n)
    return values


def _ridge_weights(fitted: FloatArray, scored: FloatArray, ridge: float) -> FloatArray:
    """Shape (n_scored, n_fitted): what each label of a fitted row adds to each score."""
    if fitted.shape[1] < len(fitted):
        core = fitted.T @ fitted + ridge * np.eye(fitted.shape[1])
        return scored @ np.linalg.solve(core, fitted.T)
    # The same numbers by a system of the other size.
    weights = np.linalg.solve(fitted @ fitted.T + ridge * np.eye(len(fitted)), fitted @ scored.T)
    return weights.T.astype(np.float64, copy=False)


def _gaussian(rows: FloatArray) -> FloatArray:
    lengths = np.square(rows).sum(axis=1)
    squares = np.maximum(lengths[:, None] + lengths[None, :] - 2 * rows @ rows.T, 0.0)
    median = float(np.median(squares[np.triu_indices(len(rows), k=1)]))
    kernel: FloatArray = np.exp(-squares / (median if median > 0 else 1.0))
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _rank_p(values: FloatArray) -> float:
    """Share of labellings, the true one included, that are at least as extreme as the true one."""
    return float((values >= values[0] - 1e-12).mean())
