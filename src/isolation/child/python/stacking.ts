import { StackedRows } from './values/encode.ts';
import { asTensor, dtypeOf, type Tensor, type TensorData } from './values/tensor.ts';

/** Items of a batch that are given to Python together. */
export interface StackedGroup {
  /** Positions in the batch. */
  readonly indices: readonly number[];
  /** An array with a row per item, or the list of items that cannot be stacked. */
  readonly list: StackedRows | readonly unknown[];
}

/** Groups items that are arrays of one type and shape; the others form a list. Mostly there is one group. */
export function stackedGroups(items: readonly unknown[]): StackedGroup[] {
  const groups = new Map<string, { readonly indices: number[]; readonly rows: Tensor[] }>();
  const others: number[] = [];
  for (const [index, item] of items.entries()) {
    const row = toRow(item);
    if (row === undefined) {
      others.push(index);
      continue;
    }
    const key = `${row.dtype} ${row.shape.join(' ')}`;
    const group = groups.get(key) ?? { indices: [], rows: [] };
    groups.set(key, group);
    group.indices.push(index);
    group.rows.push(row);
  }
  const stacked: StackedGroup[] = [...groups.values()].map(({ indices, rows }) => ({
    indices,
    list: new StackedRows(rows),
  }));
  if (others.length > 0) stacked.push({ indices: others, list: others.map((index) => items[index]) });
  return stacked;
}

/** An item as a row: a typed array, a tensor, a list of numbers, or one number. */
function toRow(item: unknown): Tensor | undefined {
  if (typeof item === 'number') return { dtype: 'float64', shape: [], data: Float64Array.of(item) };
  if (typeof item !== 'object' || item === null) return undefined;
  if (Array.isArray(item)) {
    if (item.length === 0 || !item.every((value) => typeof value === 'number')) return undefined;
    return { dtype: 'float64', shape: [item.length], data: Float64Array.from(item as number[]) };
  }
  if (ArrayBuffer.isView(item)) {
    if (item instanceof DataView) return undefined;
    const data = item as TensorData;
    return { dtype: dtypeOf(item) ?? 'uint8', shape: [data.length], data };
  }
  return asTensor(item);
}
