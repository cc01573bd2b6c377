"""Batches of calls within Python."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any, Dict, List

import support  # noqa: F401
from inserve import ServeError, batch
from inserve._batch import EndOfStream, Listener, batch_options, weight_of, with_ends


class Weights:
    def __init__(self) -> None:
        self.batches: List[List[int]] = []

    @batch(max_batch_size=10, batch_wait_timeout_s=0.01, batch_size_fn=sum)
    def add(self, items: List[int]) -> List[int]:
        self.batches.append(items)
        return [item + 1 for item in items]

    @batch(max_batch_size=4, batch_wait_timeout_s=0.01)
    async def pairs(self, items: List[int]) -> List[int]:
        self.batches.append(items)
        return items


class Weight(int):
    """A weight that counts how often it is added."""

    additions = 0

    def __add__(self, other: Any) -> int:
        Weight.additions += 1
        return int(self) + other

    __radd__ = __add__


class Counted:
    def __init__(self) -> None:
        self.seen: List[List[int]] = []

    @batch(max_batch_size=500, batch_wait_timeout_s=0.01, batch_size_fn=lambda items: Weight(1))
    def add(self, items: List[int]) -> List[int]:
        self.seen.append(items)
        return items


class Errors:
    @batch(max_batch_size=2, batch_size_fn=lambda items: 1 if items[0] in ("slots", "x") else 2)
    def throw(self, items: List[str]) -> List[Any]:
        if items == ["cancelled"]:
            raise asyncio.CancelledError
        if items == ["stopped"]:
            return next(iter([]))
        return [StopIteration(), "x"]


async def _all(calls: List[Any]) -> List[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


class Batch(unittest.TestCase):
    def test_no_batch_exceeds_the_weight_and_an_item_that_does_fails_alone(self) -> None:
        weights = Weights()
        results = asyncio.run(_all([weights.add(item) for item in (6, 4, 7, 11, 3)]))
        self.assertEqual([6 + 1, 4 + 1, 7 + 1, 3 + 1], results[:3] + results[4:])
        self.assertIsInstance(results[3], ServeError)
        self.assertEqual([[6, 4], [7, 3]], weights.batches)
        self.assertEqual(5, weight_of(Weights.add, 5))
        self.assertTrue((batch_options(Weights.add) or {})["weighed"])

    def test_the_weights_are_summed_once_however_many_items_wait(self) -> None:
        batches = Counted()
        asyncio.run(_all([batches.add(item) for item in range(300)]))
        self.assertEqual(list(range(300)), [item for items in batches.seen for item in items])
        self.assertLess(Weight.additions, 5 * 300)

    def test_an_item_whose_caller_has_left_weighs_nothing(self) -> None:
        weights = Weights()

        async def run() -> None:
            left = asyncio.ensure_future(weights.add(6))
            await asyncio.sleep(0)
            left.cancel()
            await _all([left])
            self.assertEqual([6, 5], await _all([weights.add(5), weights.add(4)]))

        asyncio.run(run())
        self.assertEqual([[5, 4]], weights.batches)

    def test_every_item_ends_whatever_the_function_raises(self) -> None:
        errors = Errors()

        async def run() -> List[Any]:
            calls = [errors.throw(item) for item in ("cancelled", "stopped", "slots", "x")]
            return await asyncio.wait_for(_all(calls), 20)

        cancelled, stopped, slot, other = asyncio.run(run())
        self.assertIsInstance(cancelled, asyncio.CancelledError)
        for error in (stopped, slot):
            self.assertIsInstance(error, RuntimeError)
            self.assertIsInstance(error.__cause__, StopIteration)
        self.assertEqual("x", other)

    def test_arguments_beside_the_item_are_refused(self) -> None:
        weights = Weights()
        with self.assertRaisesRegex(TypeError, "pairs: a batched function takes one argument, its item"):
            weights.pairs(1, 2)
        self.assertEqual(weights.batches, [])

    def test_a_weight_that_is_no_number_of_at_least_zero_is_refused(self) -> None:
        weights = Weights()
        results = asyncio.run(_all([weights.add(item) for item in (float("nan"), -1, 9)]))
        self.assertEqual(["SERVE_INVALID_OPTION"] * 2, [getattr(result, "code", None) for result in results[:2]])
        self.assertEqual((10, [[9]]), (results[2], weights.batches))

    def test_another_size_holds_from_the_next_batch_on_and_is_told(self) -> None:
        told: List[Any] = []

        def changed(name: str, changes: Dict[str, Any]) -> None:
            told.append((name, changes))

        before, Listener.changed = Listener.changed, staticmethod(changed)
        try:
            weights = Weights()
            weights.pairs.set_max_batch_size(2)
            weights.pairs.set_batch_wait_timeout_s(0.02)
            self.assertEqual([1, 2, 3, 4], asyncio.run(_all([weights.pairs(item) for item in (1, 2, 3, 4)])))
            self.assertEqual([[1, 2], [3, 4]], weights.batches)
            self.assertEqual([("pairs", {"maxBatchSize": 2}), ("pairs", {"batchWaitTimeoutMs": 20})], told)
            with self.assertRaises(ValueError):
                weights.pairs.set_max_batch_size(0)
        finally:
            Listener.changed = before

    def test_options_that_the_host_refuses_change_nothing(self) -> None:
        told: List[str] = []
        options = dict(batch_options(Weights.pairs) or {})
        before, Listener.changed = Listener.changed, staticmethod(lambda name, _: told.append(name))
        try:
            for size in (0, 2.5, True, 2_147_483_648, float("nan"), float("inf"), "3"):
                with self.assertRaises(ValueError):
                    Weights.pairs.set_max_batch_size(size)  # type: ignore[arg-type]
            for seconds in (-1, 2_147_483.648, 10**400, float("inf"), float("nan")):
                with self.assertRaises(ValueError):
                    Weights.pairs.set_batch_wait_timeout_s(seconds)
            self.assertEqual(([], options), (told, batch_options(Weights.pairs)))
            Weights.pairs.set_max_batch_size(2_147_483_647.0)
            self.assertIs(int, type((batch_options(Weights.pairs) or {})["maxBatchSize"]))
            Weights.pairs.set_batch_wait_timeout_s(2_147_483.647)
            self.assertEqual(["pairs", "pairs"], told)
        finally:
            Listener.changed = before
            (batch_options(Weights.pairs) or {}).update(options)

    def test_the_class_of_an_ended_iterator_ends_the_stream_of_its_item(self) -> None:
        first, second, third = with_ends([1, StopIteration, StopAsyncIteration])
        self.assertEqual((1, ("o", None)), (first, second.__inserve__()))
        self.assertIsInstance(third, EndOfStream)
        self.assertEqual("text", with_ends("text"))


if __name__ == "__main__":
    unittest.main()
