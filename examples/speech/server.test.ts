import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startExample } from '../../test/support/example.ts';

const fixture = (file: string): Buffer<ArrayBuffer> =>
  readFileSync(new URL(`fixtures/${file}`, import.meta.url));

test('the example as its README has it', { timeout: 180_000 }, async () => {
  await using example = await startExample('speech');
  expect(example.output()).toContain(`/speech\n`);
  const post = (body: string | Buffer<ArrayBuffer>): Promise<Response> =>
    fetch(`${example.url}/speech`, { method: 'POST', headers: { 'content-type': 'audio/wav' }, body });

  for (const name of ['two-utterances', 'left-only']) {
    const known = JSON.parse(fixture(`${name}.segments.json`).toString());
    const answer = await post(fixture(`${name}.wav`));
    expect(answer.status).toBe(200);
    const { channels } = (await answer.json()) as { channels: { segments: Record<string, number>[] }[] };
    expect(channels).toHaveLength(known.channels.length);
    for (const [channel, { segments }] of channels.entries()) {
      const expected: Record<string, number>[] = known.channels[channel].segments;
      expect(segments).toHaveLength(expected.length);
      for (const [index, segment] of segments.entries()) {
        for (const key of ['startMs', 'endMs', 'probability']) {
          const tolerance = key === 'probability' ? known.tolerance.probability : known.tolerance.segmentsMs;
          expect(Math.abs((segment[key] ?? NaN) - (expected[index]?.[key] ?? NaN))).toBeLessThanOrEqual(
            tolerance,
          );
        }
      }
    }
  }

  const refused = await post('RIFF and nothing more');
  expect(refused.status).toBe(415);
  expect(refused.headers.get('content-type')).toContain('application/problem+json');

  expect(await (await fetch(`${example.url}/silence`)).json()).toEqual([]);
  expect((await fetch(`${example.url}/healthz`)).status).toBe(200);
  const metrics = await (await fetch(`${example.url}/metrics`)).text();
  expect(metrics).toMatch(/serve_requests_total\{.*deployment="Segmenter".*outcome="ok"\} 2/);
});
