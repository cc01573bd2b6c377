/** Where a value sits, as a linked list that is only spelled out when something is refused. */
export interface Path {
  readonly parent: Path | undefined;
  readonly key: string | number;
  readonly depth: number;
}

/** @param levels of nesting in between */
export function below(parent: Path | undefined, key: string | number, levels = 1): Path {
  return { parent, key, depth: parent === undefined ? levels : parent.depth + levels };
}

/** `.a[0].b` */
export function spell(path: Path | undefined): string {
  if (path === undefined) return '';
  const { parent, key } = path;
  return `${spell(parent)}${typeof key === 'number' || key.startsWith('<') ? `[${key}]` : `.${key}`}`;
}
