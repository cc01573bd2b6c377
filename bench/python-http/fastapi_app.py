"""The classifier behind FastAPI: ``uvicorn fastapi_app:app --workers 2``."""

from __future__ import annotations

from typing import List

from fastapi import Body, FastAPI
from model import Classifier

app = FastAPI()
classifier = Classifier()


@app.post("/predict")
def predict(row: List[float] = Body()) -> dict:
    return {"label": classifier.predict(row)}
