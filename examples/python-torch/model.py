"""A small network that learns the exclusive or in its constructor, on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from inserve import context


class Xor:
    """Tells whether exactly one of two numbers is 1."""

    def __init__(self, steps: int = 400) -> None:
        torch.manual_seed(0)
        self.network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        wanted = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
        optimizer = torch.optim.Adam(self.network.parameters(), lr=0.05)
        for _ in range(steps):
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(self.network(inputs), wanted).backward()
            optimizer.step()
        self.network.eval()

    def predict(self, pairs: np.ndarray) -> np.ndarray:
        """The probability for each pair. The memory of `pairs` is that of the message: nothing is copied."""
        context().raise_if_cancelled()
        with torch.inference_mode():
            return torch.sigmoid(self.network(torch.from_numpy(pairs))).squeeze(1)
