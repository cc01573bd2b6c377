/**
 * One text for equal captured values, whatever the order of their keys: what a version hash is made of.
 */
export function canonical(value: unknown): string {
  return write(value, new Set());
}

function write(value: unknown, above: Set<object>): string {
  if (typeof value !== 'object' || value === null) return primitive(value);
  if (above.has(value)) return '<cycle>';
  above.add(value);
  const text = container(value, (item) => write(item, above));
  above.delete(value);
  return text;
}

function primitive(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  return String(value);
}

function container(value: object, inner: (item: unknown) => string): string {
  if (Array.isArray(value)) return `[${value.map(inner).join(',')}]`;
  if (value instanceof Map)
    return `Map{${[...value].map(([key, item]) => `${inner(key)}:${inner(item)}`).join(',')}}`;
  if (value instanceof Set) return `Set{${[...value].map(inner).join(',')}}`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof RegExp) return String(value);
  if (ArrayBuffer.isView(value))
    return bytes(value.buffer, value.byteOffset, value.byteLength, value.constructor.name);
  if (value instanceof ArrayBuffer) return bytes(value, 0, value.byteLength, 'ArrayBuffer');
  if (value instanceof SharedArrayBuffer) return `SharedArrayBuffer(${value.byteLength})`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${inner(Reflect.get(value, key))}`).join(',')}}`;
}

function bytes(buffer: ArrayBufferLike, offset: number, length: number, type: string): string {
  return `${type}(${Buffer.from(buffer, offset, length).toString('base64')})`;
}
