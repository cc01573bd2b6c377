"""A classifier of iris flowers, trained in the constructor."""

from __future__ import annotations

from typing import List, TypedDict

import numpy as np
from inserve import batch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


class Verdict(TypedDict):
    """The most likely species, and its probability."""

    label: str
    score: float


class IrisClassifier:
    """Classifies flowers by the length and width of sepal and petal, in cm."""

    def __init__(self, max_iter: int = 500) -> None:
        data = load_iris()
        self.names = [str(name) for name in data.target_names]
        self.model = LogisticRegression(max_iter=max_iter).fit(data.data, data.target)

    @batch(max_batch_size=32, batch_wait_timeout_s=0.002, stack=True)
    def predict(self, rows: List[np.ndarray]) -> List[Verdict]:
        """Classifies one flower. Calls that come at the same time run as one batch: `rows` has a row for each."""
        probabilities = self.model.predict_proba(rows)
        best = probabilities.argmax(axis=1)
        return [{"label": self.names[i], "score": float(p[i])} for i, p in zip(best, probabilities)]
