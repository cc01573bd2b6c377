import { describe, expect, test } from 'vitest';
import { jsonToTensor } from './tensor.ts';

function send(body: unknown) {
  const headers = { 'content-type': 'application/json' };
  return jsonToTensor(
    new Request('http://localhost/', { method: 'POST', headers, body: JSON.stringify(body) }),
  );
}

describe('jsonToTensor', () => {
  test('shape from the nesting, float32 by default', async () => {
    expect(
      await send({
        array: [
          [1, 2.5, 3],
          [4, 5, 6],
        ],
      }),
    ).toEqual({
      array: new Float32Array([1, 2.5, 3, 4, 5, 6]),
      shape: [2, 3],
      dtype: 'float32',
    });
  });

  test.each([
    [{ array: [1, 2, 3, 4], shape: [2, 2] }, [2, 2], 4],
    [{ array: [[1], [2]], shape: [2, 1] }, [2, 1], 2],
    [{ array: 7 }, [], 1],
    [{ array: 7, shape: [1, 1] }, [1, 1], 1],
    [{ array: [] }, [0], 0],
    [{ array: [[], []] }, [2, 0], 0],
    [{ array: [], shape: [0, 5] }, [0, 5], 0],
  ])('%j', async (body, shape, length) => {
    const tensor = await send(body);
    expect(tensor.shape).toEqual(shape);
    expect(tensor.array).toHaveLength(length);
  });

  test.each([
    ['float64', [0.1, -1e300], new Float64Array([0.1, -1e300])],
    ['int8', [-128, 127], new Int8Array([-128, 127])],
    ['uint8', [0, 255], new Uint8Array([0, 255])],
    ['int16', [-32_768], new Int16Array([-32_768])],
    ['uint16', [65_535], new Uint16Array([65_535])],
    ['int32', [-2_147_483_648], new Int32Array([-2_147_483_648])],
    ['uint32', [4_294_967_295], new Uint32Array([4_294_967_295])],
    ['int64', [-3, '-9223372036854775808'], new BigInt64Array([-3n, -(2n ** 63n)])],
    ['uint64', ['18446744073709551615', 0], new BigUint64Array([2n ** 64n - 1n, 0n])],
    ['bool', [true, 0, 1, false], new Uint8Array([1, 0, 1, 0])],
  ])('%s', async (dtype, array, expected) => {
    expect(await send({ array, dtype })).toEqual({ array: expected, shape: [array.length], dtype });
  });

  test.each([
    ['ragged', { array: [[1, 2], [3]] }, ['array', 1]],
    [
      'ragged in depth',
      {
        array: [
          [1, 2],
          [3, [4]],
        ],
      },
      ['array', 1, 1],
    ],
    ['a number among lists', { array: [[1], 2] }, ['array', 1]],
    ['a hole', { array: [1, null] }, ['array', 1]],
    ['text', { array: ['1'] }, ['array', 0]],
    ['no array', { shape: [1] }, ['array']],
    ['an object', { array: { 0: 1 } }, ['array']],
    ['too few for the shape', { array: [1, 2, 3], shape: [2, 2] }, ['shape']],
    [
      'another nesting',
      {
        array: [
          [1, 2],
          [3, 4],
        ],
        shape: [4],
      },
      ['shape'],
    ],
    ['a negative length', { array: [1], shape: [-1] }, ['shape']],
    ['a fractional length', { array: [1], shape: [1.5] }, ['shape']],
    ['no list as shape', { array: [1], shape: 1 }, ['shape']],
    ['a vast shape', { array: [1], shape: [9007199254740991, 9007199254740991] }, ['shape']],
    ['an unknown type', { array: [1], dtype: 'float8' }, ['dtype']],
    ['a type of the prototype', { array: [1], dtype: 'constructor' }, ['dtype']],
    ['an unknown key', { array: [1], data: [1] }, ['data']],
    ['beyond int8', { array: [1, 128], dtype: 'int8' }, ['array', 1]],
    ['a fraction', { array: [0.5], dtype: 'int32' }, ['array', 0]],
    ['beyond float32', { array: [1e39] }, ['array', 0]],
    ['beyond 2^53', { array: [2 ** 60], dtype: 'int64' }, ['array', 0]],
    ['beyond uint64', { array: ['18446744073709551616'], dtype: 'uint64' }, ['array', 0]],
    ['two as bool', { array: [2], dtype: 'bool' }, ['array', 0]],
    ['a list', [1, 2], []],
    ['null', null, []],
  ])('refuses %s', async (_, body, path) => {
    await expect(send(body)).rejects.toMatchObject({
      code: 'SERVE_VALIDATION',
      statusCode: 422,
      issues: [{ path, message: expect.any(String) }],
    });
  });

  test('takes no memory for what a first row only promises', async () => {
    const row = new Array(100_000).fill(0);
    await expect(send({ array: [row, ...row] })).rejects.toMatchObject({ issues: [{ path: ['array', 1] }] });
  });
});
