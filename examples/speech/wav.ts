import { InputError } from './input-error.ts';

/** One `Float32Array` per channel; full scale is -1 to 1 (float files may exceed it). */
export type Recording = { sampleRate: number; channels: Float32Array[] };

export type SampleFormat = keyof typeof SAMPLE_FORMATS;

// Integer PCM is little-endian and signed, but for 8 bit, which is unsigned around 128.
const SAMPLE_FORMATS = {
  pcm8: {
    tag: 1,
    bytes: 1,
    read: (view: DataView, at: number) => (view.getUint8(at) - 128) / 2 ** 7,
    write: (view: DataView, at: number, x: number) => view.setUint8(at, toInteger(x, 8) + 128),
  },
  pcm16: {
    tag: 1,
    bytes: 2,
    read: (view: DataView, at: number) => view.getInt16(at, true) / 2 ** 15,
    write: (view: DataView, at: number, x: number) => view.setInt16(at, toInteger(x, 16), true),
  },
  pcm24: {
    tag: 1,
    bytes: 3,
    read: (view: DataView, at: number) => (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 2 ** 23,
    write: (view: DataView, at: number, x: number) => {
      const value = toInteger(x, 24);
      view.setUint8(at, value & 0xff);
      view.setInt16(at + 1, value >> 8, true);
    },
  },
  pcm32: {
    tag: 1,
    bytes: 4,
    read: (view: DataView, at: number) => view.getInt32(at, true) / 2 ** 31,
    write: (view: DataView, at: number, x: number) => view.setInt32(at, toInteger(x, 32), true),
  },
  float32: {
    tag: 3,
    bytes: 4,
    read: (view: DataView, at: number) => view.getFloat32(at, true),
    write: (view: DataView, at: number, x: number) => view.setFloat32(at, x, true),
  },
  float64: {
    tag: 3,
    bytes: 8,
    read: (view: DataView, at: number) => view.getFloat64(at, true),
    write: (view: DataView, at: number, x: number) => view.setFloat64(at, x, true),
  },
};

const EXTENSIBLE = 0xfffe;
// The last 14 bytes of KSDATAFORMAT_SUBTYPE_*; the two before them are the format tag.
const SUBTYPE_GUID_TAIL = '000000001000800000aa00389b71';

// Programs that write to a pipe cannot know the length: ffmpeg writes 0xffffffff, espeak-ng 0x7ffff000.
const UNKNOWN_LENGTH = 0x7fff_f000;

const MAX_CHANNELS = 64;
const MIN_SAMPLE_RATE = 1_000;
const MAX_SAMPLE_RATE = 192_000;
/** Summed over the channels. A small body can hold hours of audio, and decoding multiplies its size. */
const MAX_SECONDS = 30 * 60;

/**
 * Decodes a RIFF/WAVE file: PCM of 8, 16, 24 or 32 bit, float of 32 or 64 bit, also as
 * WAVE_FORMAT_EXTENSIBLE; any order of chunks, unknown chunks are skipped.
 *
 * @throws InputError 415 for another container or codec, 400 for a broken file, 422 for values out of range.
 */
export function decodeWav(file: ArrayBuffer | Uint8Array): Recording {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  const { fmt, data } = findChunks(bytes);
  const { format, channelCount, sampleRate } = parseFormat(fmt);
  const frameBytes = format.bytes * channelCount;
  const frames = Math.floor(data.byteLength / frameBytes);
  if ((frames / sampleRate) * channelCount > MAX_SECONDS) {
    throw new InputError(422, 'WAV_TOO_LONG', `The recording is longer than ${MAX_SECONDS} seconds in all`);
  }
  const channels = Array.from({ length: channelCount }, (_, channel) => {
    const samples = new Float32Array(frames);
    for (let frame = 0; frame < frames; frame++) {
      samples[frame] = format.read(data, frame * frameBytes + channel * format.bytes);
    }
    return samples;
  });
  // One NaN would stay in the recurrent state of a model until the end of the clip.
  if (!channels.every((samples) => samples.every(Number.isFinite))) {
    throw new InputError(422, 'WAV_NOT_FINITE', 'The recording has samples that are not finite numbers');
  }
  return { sampleRate, channels };
}

/** Encodes channels of equal length; what exceeds full scale is clipped in the integer formats. */
export function encodeWav({ sampleRate, channels }: Recording, sampleFormat: SampleFormat = 'pcm16') {
  const format = SAMPLE_FORMATS[sampleFormat];
  const channelCount = channels.length;
  const frameBytes = format.bytes * channelCount;
  const dataBytes = (channels[0]?.length ?? 0) * frameBytes;
  const file = new Uint8Array(44 + dataBytes + (dataBytes % 2));
  const view = new DataView(file.buffer);
  writeText(file, 0, 'RIFF');
  view.setUint32(4, file.length - 8, true);
  writeText(file, 8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, format.tag, true);
  view.setUint16(22, channelCount, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * frameBytes, true);
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, format.bytes * 8, true);
  writeText(file, 36, 'data');
  view.setUint32(40, dataBytes, true);
  channels.forEach((samples, channel) => {
    samples.forEach((x, frame) => {
      format.write(view, 44 + frame * frameBytes + channel * format.bytes, x);
    });
  });
  return file;
}

function findChunks(bytes: Uint8Array): { fmt: DataView; data: DataView } {
  if (bytes.length === 0) throw new InputError(400, 'WAV_EMPTY', 'The body is empty; send a WAV file');
  if (readText(bytes, 0, 4) !== 'RIFF' || readText(bytes, 8, 4) !== 'WAVE') {
    throw new InputError(415, 'WAV_NOT_RIFF', 'The body is not a RIFF/WAVE file');
  }
  const view = viewOf(bytes);
  let fmt: DataView | undefined;
  let data: DataView | undefined;
  for (let at = 12; at + 8 <= bytes.length && !(fmt && data); ) {
    const id = readText(bytes, at, 4);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    const open = id === 'data' && size >= UNKNOWN_LENGTH;
    const end = open ? bytes.length : start + size;
    if (end > bytes.length) {
      const message = `The '${id}' chunk says ${size} bytes, the file has ${bytes.length - start} left`;
      throw new InputError(400, 'WAV_TRUNCATED', message);
    }
    if (id === 'fmt ') fmt ??= viewOf(bytes.subarray(start, end));
    if (id === 'data') data ??= viewOf(bytes.subarray(start, end));
    at = end + (size % 2); // chunks start at even offsets
  }
  if (!fmt || !data) {
    throw new InputError(400, 'WAV_TRUNCATED', `The file ends without a '${fmt ? 'data' : 'fmt '}' chunk`);
  }
  return { fmt, data };
}

function parseFormat(fmt: DataView) {
  if (fmt.byteLength < 16) throw malformed(`The 'fmt ' chunk has ${fmt.byteLength} bytes, it needs 16`);
  const channelCount = fmt.getUint16(2, true);
  const sampleRate = fmt.getUint32(4, true);
  const frameBytes = fmt.getUint16(12, true);
  const bits = fmt.getUint16(14, true);
  const tag = formatTag(fmt);
  // 12 or 20 bit samples sit left-justified in 2 or 3 bytes and are read as such.
  const bytes = Math.ceil(bits / 8);
  const format = Object.values(SAMPLE_FORMATS).find((known) => known.tag === tag && known.bytes === bytes);
  if (!format) {
    const message = `Format ${tag} with ${bits} bit is not supported; send PCM (8 to 32) or float (32, 64)`;
    throw new InputError(415, 'WAV_UNSUPPORTED', message);
  }
  if (channelCount < 1 || channelCount > MAX_CHANNELS) {
    throw outOfRange(`${channelCount} channels; 1 to ${MAX_CHANNELS} are allowed`);
  }
  if (sampleRate < MIN_SAMPLE_RATE || sampleRate > MAX_SAMPLE_RATE) {
    throw outOfRange(`${sampleRate} Hz; ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE} are allowed`);
  }
  if (frameBytes !== channelCount * bytes) {
    throw malformed(`${channelCount} channels of ${bits} bit do not make a block of ${frameBytes} bytes`);
  }
  return { format, channelCount, sampleRate };
}

function formatTag(fmt: DataView): number {
  const tag = fmt.getUint16(0, true);
  if (tag !== EXTENSIBLE) return tag;
  if (fmt.byteLength < 40) throw malformed(`The 'fmt ' chunk has ${fmt.byteLength} bytes, it needs 40`);
  const tail = Buffer.from(fmt.buffer, fmt.byteOffset + 26, 14).toString('hex');
  return tail === SUBTYPE_GUID_TAIL ? fmt.getUint16(24, true) : tag;
}

function toInteger(x: number, bits: number): number {
  const scale = 2 ** (bits - 1);
  return Math.min(scale - 1, Math.max(-scale, Math.round(x * scale)));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readText(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function writeText(bytes: Uint8Array, at: number, text: string): void {
  new TextEncoder().encodeInto(text, bytes.subarray(at));
}

function malformed(message: string): InputError {
  return new InputError(400, 'WAV_MALFORMED', message);
}

function outOfRange(message: string): InputError {
  return new InputError(422, 'WAV_OUT_OF_RANGE', message);
}
