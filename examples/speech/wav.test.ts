import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWav, encodeWav, type Recording, type SampleFormat } from './wav.ts';

// The largest error of a sample: half a step, or a whole one at +1, which integers cannot hold.
const PRECISION: Record<SampleFormat, number> = {
  pcm8: 2 ** -7,
  pcm16: 2 ** -15,
  pcm24: 2 ** -23,
  pcm32: 2 ** -24, // of the Float32Array, near full scale
  float32: 0,
  float64: 0,
};
const FORMATS = Object.keys(PRECISION) as SampleFormat[];

const sample = fc.float({ min: -1, max: 1, noNaN: true });

const recordings: fc.Arbitrary<Recording> = fc
  .record({
    sampleRate: fc.integer({ min: 1_000, max: 192_000 }),
    channelCount: fc.integer({ min: 1, max: 8 }),
    frames: fc.integer({ min: 0, max: 50 }),
  })
  .chain(({ sampleRate, channelCount, frames }) => {
    const channel = fc.float32Array({ min: -1, max: 1, noNaN: true, minLength: frames, maxLength: frames });
    const channels = fc.array(channel, { minLength: channelCount, maxLength: channelCount });
    return channels.map((samples) => ({ sampleRate, channels: samples }));
  });

describe('decodeWav', () => {
  it.each(FORMATS)('reads what encodeWav wrote, as %s', (format) => {
    fc.assert(
      fc.property(recordings, (recording) => {
        const decoded = decodeWav(encodeWav(recording, format));
        expect(decoded.sampleRate).toBe(recording.sampleRate);
        expect(decoded.channels).toHaveLength(recording.channels.length);
        decoded.channels.forEach((samples, channel) => {
          expect(largestDifference(samples, recording.channels[channel]!)).toBeLessThanOrEqual(
            PRECISION[format],
          );
        });
      }),
    );
  });

  // encodeWav could be wrong in the same way: these bytes are from the format's description.
  it.each([
    { tag: 1, bits: 8, bytes: [0, 128, 192], samples: [-1, 0, 0.5] },
    { tag: 1, bits: 16, bytes: [0, 0x80, 0, 0, 0, 0x40], samples: [-1, 0, 0.5] },
    { tag: 1, bits: 24, bytes: [0, 0, 0x80, 0, 0, 0, 0, 0, 0x40, 1, 0, 0], samples: [-1, 0, 0.5, 2 ** -23] },
    { tag: 1, bits: 32, bytes: [0, 0, 0, 0x80, 0, 0, 0, 0x40], samples: [-1, 0.5] },
    { tag: 3, bits: 32, bytes: [0, 0, 0x80, 0xbf, 0, 0, 0, 0x3f], samples: [-1, 0.5] },
    { tag: 3, bits: 64, bytes: [0, 0, 0, 0, 0, 0, 0xf0, 0xbf], samples: [-1] },
    { tag: 1, bits: 20, bytes: [0, 0, 0x80, 0, 0, 0x40], samples: [-1, 0.5] },
  ])('reads $bits bit samples of format tag $tag', ({ tag, bits, bytes, samples }) => {
    const decoded = decodeWav(riff(chunk('fmt ', format({ tag, bits })), chunk('data', bytes)));
    expect([...decoded.channels[0]!]).toEqual(samples);
  });

  it('separates the channels', () => {
    const stereo = riff(chunk('fmt ', format({ channels: 2, bits: 8 })), chunk('data', [0, 128, 64, 192]));
    expect(decodeWav(stereo).channels.map((samples) => [...samples])).toEqual([
      [-1, -0.5],
      [0, 0.5],
    ]);
  });

  it('reads WAVE_FORMAT_EXTENSIBLE', () => {
    const extensible = chunk('fmt ', extensibleFormat(3, 32));
    expect(decodeWav(riff(extensible, chunk('data', [0, 0, 0, 0x3f]))).channels).toEqual([
      Float32Array.of(0.5),
    ]);
  });

  it('skips unknown chunks and their padding, whatever the order', () => {
    const noise = fc
      .tuple(fc.constantFrom('LIST', 'fact', 'cue ', 'id3 ', 'JUNK'), fc.array(fc.nat(255), { maxLength: 9 }))
      .map(([id, body]) => chunk(id, body));
    const some = fc.array(noise, { maxLength: 3 });
    fc.assert(
      fc.property(some, some, some, fc.boolean(), (before, between, after, dataFirst) => {
        const fmt = chunk('fmt ', format({ bits: 8 }));
        const data = chunk('data', [0, 128, 192]);
        const [first, second] = dataFirst ? [data, fmt] : [fmt, data];
        const file = riff(...before, first, ...between, second, ...after);
        expect([...decodeWav(file).channels[0]!]).toEqual([-1, 0, 0.5]);
      }),
    );
  });

  it('reads to the end when the writer could not know the length', () => {
    const file = riff(chunk('fmt ', format({ bits: 8 })), chunk('data', [0, 128, 192, 128]));
    new DataView(file.buffer).setUint32(file.length - 8, 0xffff_ffff, true);
    expect([...decodeWav(file).channels[0]!]).toEqual([-1, 0, 0.5, 0]);
  });

  it('takes an ArrayBuffer, and a view of a part of one', () => {
    const wav = encodeWav({ sampleRate: 8_000, channels: [Float32Array.of(0.25)] });
    const padded = new Uint8Array([1, 2, 3, ...wav]).subarray(3);
    expect(decodeWav(padded)).toEqual(decodeWav(wav.buffer));
  });

  it.each([
    ['nothing', new Uint8Array(), 400, 'WAV_EMPTY'],
    ['another kind of file', new TextEncoder().encode('{"not": "a recording"}'), 415, 'WAV_NOT_RIFF'],
    ['no chunks', riff(), 400, 'WAV_TRUNCATED'],
    ['no format', riff(chunk('data', [0])), 400, 'WAV_TRUNCATED'],
    ['a short format', riff(chunk('fmt ', [1, 0]), chunk('data', [0])), 400, 'WAV_MALFORMED'],
    ['a compressed codec', fileOf({ tag: 0x55 }), 415, 'WAV_UNSUPPORTED'],
    ['PCM of 64 bit', fileOf({ bits: 64 }), 415, 'WAV_UNSUPPORTED'],
    ['PCM of 0 bit', fileOf({ bits: 0 }), 415, 'WAV_UNSUPPORTED'],
    [
      'an unknown subtype',
      riff(chunk('fmt ', extensibleFormat(0x55, 16)), chunk('data', [])),
      415,
      'WAV_UNSUPPORTED',
    ],
    ['no channels', fileOf({ channels: 0 }), 422, 'WAV_OUT_OF_RANGE'],
    ['too many channels', fileOf({ channels: 65 }), 422, 'WAV_OUT_OF_RANGE'],
    ['a sample rate of 0', fileOf({ sampleRate: 0 }), 422, 'WAV_OUT_OF_RANGE'],
    ['an absurd sample rate', fileOf({ sampleRate: 0xffff_ffff }), 422, 'WAV_OUT_OF_RANGE'],
    ['a wrong block size', fileOf({ blockAlign: 3 }), 400, 'WAV_MALFORMED'],
    ['hours in a small file', fileOf({ sampleRate: 1_000, bits: 8 }, 1_800_001), 422, 'WAV_TOO_LONG'],
    [
      'NaN',
      riff(chunk('fmt ', format({ tag: 3, bits: 32 })), chunk('data', [0, 0, 0xc0, 0x7f])),
      422,
      'WAV_NOT_FINITE',
    ],
  ])('refuses %s', (_what, file, statusCode, code) => {
    expect(() => decodeWav(file)).toThrow(expect.objectContaining({ statusCode, code, expose: true }));
  });

  it('refuses a file that was cut off, wherever', () => {
    const wav = encodeWav({ sampleRate: 16_000, channels: [new Float32Array(20)] });
    fc.assert(
      fc.property(fc.nat(wav.length - 1), (length) => {
        const refusal = expect.objectContaining({
          statusCode: expect.toSatisfy((code) => [400, 415].includes(code)),
        });
        expect(() => decodeWav(wav.subarray(0, length))).toThrow(refusal);
      }),
    );
  });

  it('answers any bytes with a recording or a refusal', () => {
    const wav = encodeWav({ sampleRate: 16_000, channels: [new Float32Array(8)] }, 'float32');
    const damage = fc.array(fc.tuple(fc.nat(wav.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(damage, (changes) => {
        const damaged = wav.slice();
        for (const [at, value] of changes) damaged[at] = value;
        try {
          for (const samples of decodeWav(damaged).channels)
            expect(samples.every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ name: 'InputError', expose: true });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('encodeWav', () => {
  it('clips what integers cannot hold', () => {
    fc.assert(
      fc.property(fc.constantFrom<SampleFormat>('pcm8', 'pcm16', 'pcm24', 'pcm32'), sample, (name, x) => {
        const over = Float32Array.of(1.5 + x / 2, -1.5 - x / 2);
        const [high, low] = decodeWav(encodeWav({ sampleRate: 8_000, channels: [over] }, name)).channels[0]!;
        expect(high).toBeCloseTo(1, 1);
        expect(low).toBe(-1);
      }),
    );
  });
});

type Format = { tag?: number; channels?: number; sampleRate?: number; bits?: number; blockAlign?: number };

function format({ tag = 1, channels = 1, sampleRate = 16_000, bits = 16, blockAlign }: Format): number[] {
  const block = blockAlign ?? channels * Math.ceil(bits / 8);
  return [
    ...u16(tag),
    ...u16(channels),
    ...u32(sampleRate),
    ...u32(sampleRate * block),
    ...u16(block),
    ...u16(bits),
  ];
}

function extensibleFormat(tag: number, bits: number): number[] {
  const guid = [...u16(tag), 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
  return [...format({ tag: 0xfffe, bits }), ...u16(22), ...u16(bits), ...u32(4), ...guid];
}

function fileOf(header: Format, dataBytes = 0): Uint8Array<ArrayBuffer> {
  return riff(chunk('fmt ', format(header)), chunk('data', new Uint8Array(dataBytes)));
}

function riff(...chunks: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks]);
  return new Uint8Array(Buffer.concat([Buffer.from('RIFF'), Uint8Array.from(u32(body.length)), body]));
}

function chunk(id: string, body: number[] | Uint8Array): Uint8Array {
  const header = [...Buffer.from(id), ...u32(body.length)];
  return Buffer.concat([Uint8Array.from(header), Uint8Array.from(body), new Uint8Array(body.length % 2)]);
}

function u16(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, x, index) => Math.max(largest, Math.abs(x - b[index]!)), 0);
}
