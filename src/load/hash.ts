/** FNV-1a, 32 bits, finalized. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return mix(value);
}

/** Hash as an evenly spread number in 0…1. */
export function unitHash(text: string): number {
  return hash(text) / 2 ** 32;
}

/** The finalizer of MurmurHash3: each bit of the input changes half of the output's. Unsigned. */
export function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
