/** Rows of a digit, as displays of 5 × 7 dots show it. */
const GLYPHS = [
  ['.###.', '#...#', '#..##', '#.#.#', '##..#', '#...#', '.###.'],
  ['..#..', '.##..', '..#..', '..#..', '..#..', '..#..', '.###.'],
  ['.###.', '#...#', '....#', '...#.', '..#..', '.#...', '#####'],
  ['#####', '...#.', '..#..', '...#.', '....#', '#...#', '.###.'],
  ['...#.', '..##.', '.#.#.', '#..#.', '#####', '...#.', '...#.'],
  ['#####', '#....', '####.', '....#', '....#', '#...#', '.###.'],
  ['..##.', '.#...', '#....', '####.', '#...#', '#...#', '.###.'],
  ['#####', '....#', '...#.', '..#..', '.#...', '.#...', '.#...'],
  ['.###.', '#...#', '#...#', '.###.', '#...#', '#...#', '.###.'],
  ['.###.', '#...#', '#...#', '.####', '....#', '...#.', '.##..'],
];

/** Width and height of a drawing. */
export const SIDE = 8;

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * A digit on 8 × 8 pixels: somewhere on it, in ink of some darkness, on paper that is not clean.
 *
 * @returns row by row, from 0 (paper) to 1 (ink)
 */
export function draw(digit: number, random: () => number): number[] {
  const glyph = GLYPHS[digit] as string[];
  const left = Math.floor(random() * 4);
  const top = Math.floor(random() * 2);
  const ink = 0.6 + 0.4 * random();
  return Array.from({ length: SIDE * SIDE }, (_, at) => {
    const row = Math.floor(at / SIDE) - top;
    const dot = glyph[row]?.[(at % SIDE) - left];
    const isSmudged = random() < 0.03;
    const shade = (dot === '#') !== isSmudged ? ink : 0;
    return Math.min(1, Math.max(0, shade + 0.3 * (random() - 0.5)));
  });
}
