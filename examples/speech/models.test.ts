import { fakeDeployment, faulty, testServe } from 'inserve/testing';
import { expect, test } from 'vitest';
import { silent } from '../../test/support/silent.ts';
import { type Detector, detector, speech } from './models.ts';

/** A request with a WAV file of 16-bit samples at 16 kHz that are all 0. */
function silence(channels: number, samples = 160): Request {
  const data = channels * samples * 2;
  const wav = Buffer.alloc(44 + data);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + data, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(channels, 22);
  wav.writeUInt32LE(16_000, 24);
  wav.writeUInt32LE(16_000 * channels * 2, 28);
  wav.writeUInt16LE(channels * 2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(data, 40);
  const headers = { 'content-type': 'audio/wav' };
  return new Request('http://localhost/', { method: 'POST', headers, body: wav });
}

const noModel = fakeDeployment<typeof Detector>({
  detect: (clip) => [{ startMs: 0, endMs: clip.length / 16, probability: 1 }],
});

test('each channel goes to the detector, without the network', async () => {
  await using app = await testServe(speech, { logger: silent, replace: [[detector, noModel]] });
  expect(await app.handle.remote(silence(2))).toMatchObject({
    sampleRate: 16_000,
    durationMs: 10,
    channels: [{ segments: [{ endMs: 10 }] }, { segments: [{ endMs: 10 }] }],
  });
});

test('a detector that fails fails the request, and the next one is served', async () => {
  const flaky = faulty(noModel, { errorRate: 0.5, seed: 3 });
  await using app = await testServe(speech, { logger: silent, replace: [[detector, flaky]] });
  const ends = await Promise.allSettled(Array.from({ length: 20 }, () => app.handle.remote(silence(1))));
  const failed = ends.filter(({ status }) => status === 'rejected');
  expect(failed.length).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(20);
  expect(failed[0]).toMatchObject({ reason: { message: 'injected fault' } });
});
