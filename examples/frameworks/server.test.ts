import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectConsole } from '../../test/support/docs/console.ts';
import { startExample } from '../../test/support/example.ts';
import { draw, randomFrom } from './drawing.ts';
import type { Reading } from './schemas.ts';

const FRAMEWORKS = ['onnx', 'tfjs', 'plain'] as const;

let example: Awaited<ReturnType<typeof startExample>>;
beforeAll(async () => {
  example = await startExample('frameworks');
}, 180_000);
afterAll(() => example[Symbol.asyncDispose]());

function post(framework: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${example.url}/${framework}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** Drawings that training has not seen: another seed. */
const random = randomFrom(2);
const drawings = Array.from({ length: 100 }, (_, index) => ({
  digit: index % 10,
  pixels: draw(index % 10, random),
}));

describe('one network in three frameworks', () => {
  const read = new Map<string, Reading[]>();

  test.each(FRAMEWORKS)('%s reads digits that it has not seen', async (framework) => {
    const answers = await Promise.all(drawings.map(({ pixels }) => post(framework, { pixels })));
    const readings = await Promise.all(answers.map((answer) => answer.json() as Promise<Reading>));
    read.set(framework, readings);
    const right = readings.filter(({ digit }, index) => digit === drawings[index]?.digit).length;
    expect(right).toBeGreaterThanOrEqual(97);
    for (const { probabilities } of readings) {
      expect(probabilities.reduce((all, one) => all + one, 0)).toBeCloseTo(1, 5);
    }
  });

  test('they agree to 1e-5', () => {
    const [first, ...others] = FRAMEWORKS.map((framework) => read.get(framework) ?? []);
    const numbers = (readings: Reading[]): number[] => readings.flatMap(({ probabilities }) => probabilities);
    expect(numbers(first ?? [])).toHaveLength(1_000);
    for (const other of others) {
      const differences = numbers(other).map((one, index) =>
        Math.abs(one - (numbers(first ?? [])[index] as number)),
      );
      expect(Math.max(...differences)).toBeLessThan(1e-5);
      expect(other.map(({ digit }) => digit)).toEqual(first?.map(({ digit }) => digit));
    }
  });

  test.each(FRAMEWORKS)('%s refuses what is no drawing', async (framework) => {
    const answer = await post(framework, { pixels: Array(64).fill(2) });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ code: 'SERVE_VALIDATION', issues: expect.any(Array) });
    expect((await post(framework, {})).status).toBe(422);
  });

  test('they answer what the README shows', () =>
    expectConsole('examples/frameworks/README.md', example.url));

  test('the drawing to try it with, and the document', async () => {
    const drawing = await (await fetch(`${example.url}/drawings/7`)).json();
    expect(await (await post('plain', drawing)).json()).toMatchObject({ digit: 7 });
    const document = await (await fetch(`${example.url}/openapi.json`)).json();
    expect(document).toMatchObject({ openapi: '3.1.1', paths: { '/onnx': { post: {} } } });
  });
});
