import { below, type Path, spell } from '../../values/path.ts';

/**
 * Returns the path of a part of a value, such as `.image[0]`; empty if the part is not found. Only used once a value
 * was refused.
 */
export function pathTo(value: unknown, part: unknown): string {
  const seen = new Set<unknown>();
  const search = (at: unknown, path: Path | undefined): Path | undefined => {
    if (typeof at !== 'object' || at === null || seen.has(at)) return undefined;
    seen.add(at);
    for (const [key, member] of membersOf(at)) {
      const here = below(path, key);
      const found = member === part ? here : search(member, here);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return value === part || part === undefined ? '' : spell(search(value, undefined));
}

function membersOf(value: object): Array<[string | number, unknown]> {
  if (value instanceof Map)
    return [...value].flatMap(([key, item]) => [
      ['<key>', key],
      [typeof key === 'string' ? key : '<key>', item],
    ]);
  if (value instanceof Set) return Array.from(value, (item) => ['<item>', item]);
  const isArray = Array.isArray(value);
  return Object.entries(value).map(([key, item]) => [isArray && /^\d+$/.test(key) ? Number(key) : key, item]);
}
