// A Kaiser-windowed sinc, evaluated at the exact position of every output sample: "bandlimited
// interpolation", J. O. Smith, https://ccrma.stanford.edu/~jos/resample/. By Kaiser's formulas 16 zero
// crossings on each side and this beta give 60 dB from the lower Nyquist frequency up, and a flat response to
// 0.78 of it: to 16 kHz, speech up to 6.2 kHz passes and what would fold back into it does not.
const ZERO_CROSSINGS = 16;
const KAISER_BETA = 5.65;
const CUTOFF = 0.886;

/** Resamples without delay, to `round(length × to / from)` samples. Rates are whole numbers, in Hz. */
export function resample(input: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return input;
  const divisor = greatestCommonDivisor(from, to);
  const up = to / divisor;
  const down = from / divisor;
  const filters: Float32Array[] = []; // one per phase: 44.1 kHz to 16 kHz has 160 of them
  const output = new Float32Array(Math.round((input.length * up) / down));
  for (let n = 0; n < output.length; n++) {
    const phase = (n * down) % up;
    filters[phase] ??= designFilter(phase / up, from, to);
    const taps = filters[phase];
    const first = Math.floor((n * down) / up) - taps.length / 2 + 1;
    output[n] = dotProduct(taps, input, first);
  }
  return output;
}

/** `fraction` is the distance of the output sample from the input sample before it, 0 to 1. */
function designFilter(fraction: number, from: number, to: number): Float32Array {
  const bandwidth = CUTOFF * Math.min(1, to / from);
  const half = Math.ceil(ZERO_CROSSINGS / bandwidth);
  const taps = new Float64Array(2 * half).map((_, index) => {
    const distance = index - half + 1 - fraction;
    return sinc(distance * bandwidth) * kaiser(distance / half);
  });
  // Every phase gets the same gain at 0 Hz, else a constant would come out as a hum of the phases.
  const gain = taps.reduce((sum, tap) => sum + tap, 0);
  return Float32Array.from(taps, (tap) => tap / gain);
}

/** What lies outside the input counts as silence. */
function dotProduct(taps: Float32Array, input: Float32Array, first: number): number {
  const from = Math.max(0, -first);
  const to = Math.min(taps.length, input.length - first);
  let sum = 0;
  for (let index = from; index < to; index++) sum += taps[index]! * input[first + index]!;
  return sum;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Up to a factor: `designFilter` sets the gain. */
function kaiser(x: number): number {
  return Math.abs(x) > 1 ? 0 : besselI0(KAISER_BETA * Math.sqrt(1 - x * x));
}

function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
