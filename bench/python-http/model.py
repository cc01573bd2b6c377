"""The classifier that all contenders serve."""

from __future__ import annotations

from typing import List

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


class Classifier:
    def __init__(self) -> None:
        data = load_iris()
        self.model = LogisticRegression(max_iter=500).fit(data.data, data.target)

    def predict(self, row: List[float]) -> int:
        return int(self.model.predict([row])[0])

    def predict_many(self, rows: List[List[float]]) -> List[int]:
        return [int(label) for label in self.model.predict(rows)]
