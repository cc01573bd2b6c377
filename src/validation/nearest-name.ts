/** Shorter names are too close to each other for a guess. */
const MIN_LENGTH = 3;
/** Names from this length on may differ by two edits, shorter ones by one. */
const LONG = 6;

/** The name that a misspelt one most likely stands for, such as `numReplicas` for `num_replicas`; undefined if none is close. */
export function nearestName(wrong: string, names: readonly string[]): string | undefined {
  const typed = bare(wrong);
  if (typed.length < MIN_LENGTH) return undefined;
  const limit = typed.length < LONG ? 1 : 2;
  const [best] = names
    .map((name) => ({ name, edits: editsBetween(typed, bare(name)) }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits);
  if (best !== undefined) return best.name;
  const startsAlike = names.find((name) => typed.startsWith(bare(name)) || bare(name).startsWith(typed));
  return startsAlike ?? names.find((name) => typed.includes(bare(name)) || bare(name).includes(typed));
}

/** A name without its case and separators. */
function bare(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** The Levenshtein distance. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1);
    }
    row = next;
  }
  return row[b.length] as number;
}
