"""The classifier behind Ray Serve with two replicas: ``python ray_app.py PORT``."""

import sys
import time

from model import Classifier
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=2, max_ongoing_requests=100)
class Predictor:
    def __init__(self) -> None:
        self.classifier = Classifier()

    async def __call__(self, request: Request) -> dict:
        return {"label": self.classifier.predict(await request.json())}


serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
serve.run(Predictor.bind(), route_prefix="/predict")
while True:
    time.sleep(60)
