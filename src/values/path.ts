/** The position of a value, as a linked list that is spelled out only when a value is refused. */
export interface Path {
  readonly parent: Path | undefined;
  readonly key: string | number;
  readonly depth: number;
}

/** @param levels the levels of nesting between the parent and the key */
export function below(parent: Path | undefined, key: string | number, levels = 1): Path {
  return { parent, key, depth: parent === undefined ? levels : parent.depth + levels };
}

/** Spells a path like `.a[0].b`. */
export function spell(path: Path | undefined): string {
  if (path === undefined) return '';
  const { parent, key } = path;
  return `${spell(parent)}${typeof key === 'number' || key.startsWith('<') ? `[${key}]` : `.${key}`}`;
}
