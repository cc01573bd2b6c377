import { Capture } from '../../../src/values/capture.ts';
import type { Marks } from '../../../src/values/marks.ts';
import { revive } from '../../../src/values/revive.ts';
import { Codec } from '../../../src/wire/codec.ts';
import { MARKS_END } from '../../../src/wire/values/leaves.ts';
import { Lowering } from '../../../src/wire/values/lower.ts';

/** The bytes of one value, and its large binaries, as one frame of a message. */
export function encode(
  value: unknown,
  marks?: Marks,
  lowering: Lowering = new Lowering(),
): { bytes: Uint8Array<ArrayBuffer>; large: readonly ArrayBuffer[] } {
  lowering.beginFrame([value], marks);
  const lowered = lowering.value(value, 'value');
  return { bytes: new Codec().encode([lowered, MARKS_END]).slice(), large: lowering.large };
}

/** A captured value and its marks, as they arrive. */
export function decode(
  bytes: Uint8Array,
  large: readonly ArrayBuffer[] = [],
): { value: unknown; marks: Marks | undefined } {
  const [value, marks] = new Codec().decode(bytes, large);
  return { value, marks: marks as Marks | undefined };
}

/** A value on its whole way to another instance: captured, encoded, decoded, revived. */
export function sendToPeer(value: unknown): unknown {
  const capture = new Capture();
  const captured = capture.take(value, 'send', 0);
  const { bytes, large } = encode(captured, capture.marks);
  const arrived = decode(bytes, large);
  return arrived.marks === undefined ? arrived.value : revive(arrived.value, arrived.marks);
}
