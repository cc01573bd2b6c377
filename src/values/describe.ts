/** A few words about any value, also one that cannot be read. Never throws. */
export function describe(value: unknown): string {
  try {
    if (typeof value === 'function') return value.name === '' ? 'a function' : `function ${value.name}`;
    return String(value);
  } catch {
    return `an unreadable ${typeof value}`;
  }
}
