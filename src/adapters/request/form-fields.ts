/** A value that a form parser has made from one or several fields, with the name from which `qs` would read it back. */
export type FormEntry = readonly [name: string, value: unknown];

/**
 * The fields of a parsed form as flat entries: nested fields are named `a[b]`, and the items of a list repeat the name.
 *
 * @param isWhole returns whether a value is not taken apart
 */
export function* formEntries(form: unknown, isWhole: (value: object) => boolean): Generator<FormEntry> {
  yield* entriesOf('', form);

  function* entriesOf(name: string, value: unknown): Generator<FormEntry> {
    if (!isNested(value) || isWhole(value)) {
      yield [name, value];
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries())
        yield* entriesOf(isNested(item) && !isWhole(item) ? `${name}[${index}]` : name, item);
    } else {
      for (const [key, item] of Object.entries(value))
        yield* entriesOf(name === '' ? key : `${name}[${key}]`, item);
    }
  }
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
