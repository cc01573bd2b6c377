/** The most labels of one app: a mount path may have parameters that nothing tells apart from the rest of it. */
const MOST_LABELS = 20;
/** The label of all further mount paths. */
const OTHER = 'other';
/** The most spellings that are kept, so that a usual one is found at once. */
const MOST_SPELLINGS = 100;

/**
 * The mount paths of an app as labels, of which there must be few, whatever clients send: frameworks match them in any case, and
 * they may have parameters.
 */
export class RouteLabels {
  readonly #labels = new Set<string>();
  readonly #spellings = new Map<string, string>();

  /** @param params the parameters of the path, whose names take the place of their values */
  of(mountPath: string, params: Readonly<Record<string, string>> | undefined): string {
    const known = this.#spellings.get(mountPath);
    if (known !== undefined) return known;
    const label = this.#bounded(withNames(mountPath, params).toLowerCase());
    if (this.#spellings.size < MOST_SPELLINGS) this.#spellings.set(mountPath, label);
    return label;
  }

  #bounded(label: string): string {
    if (this.#labels.size < MOST_LABELS) this.#labels.add(label);
    return this.#labels.has(label) ? label : OTHER;
  }
}

function withNames(path: string, params: Readonly<Record<string, string>> = {}): string {
  const names = new Map(Object.entries(params).map(([name, value]) => [value, name]));
  return path
    .split('/')
    .map((segment) => {
      const name = names.get(segment) ?? names.get(decoded(segment));
      return name === undefined || segment === '' ? segment : `:${name}`;
    })
    .join('/');
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
