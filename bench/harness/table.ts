import type { KeyFigure, Row } from './samples.ts';
import type { Summary } from './statistics.ts';

export interface Column {
  readonly header: string;
  readonly cell: string;
  readonly metric: string;
  /** Values are divided by this before they are printed: 1000 for thousands. */
  readonly per?: number;
}

export interface TableSpec {
  readonly title: string;
  readonly columns: readonly Column[];
}

/** A table of `median (min–max)`, one line per implementation; nothing if none of its cells was measured. */
export function table({ title, columns }: TableSpec, rows: readonly Row[]): string {
  const measured = columns.filter((column) => rows.some((row) => isIn(row, column)));
  const implementations = new Set(
    rows.filter((row) => measured.some((column) => isIn(row, column))).map((row) => row.implementation),
  );
  if (implementations.size === 0) return '';
  const lines = [...implementations].map((implementation) => [
    implementation,
    ...measured.map((column) => {
      const row = rows.find(
        (candidate) => candidate.implementation === implementation && isIn(candidate, column),
      );
      return row === undefined ? '–' : spread(row, column.per);
    }),
  ]);
  return `${title}\n${align([['', ...measured.map((column) => column.header)], ...lines])}\n`;
}

/** Every row on a line of its own; nothing if there are none. */
export function listing(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const isContest = new Set(rows.map(({ implementation }) => implementation)).size > 1;
  const lines = rows.map((row) => [
    row.cell,
    ...(isContest ? [row.implementation] : []),
    row.metric,
    spread(row),
    row.unit,
  ]);
  return `${title}\n${align(lines)}\n`;
}

export function figureTable(figures: readonly KeyFigure[]): string {
  if (figures.length === 0) return '';
  const lines = figures.map((figure) => {
    const { of, against, how = 'ratio', times, metric, cell, goal } = figure;
    const other = times === undefined ? against : `${times} × ${against}`;
    const compared = against === undefined ? '' : ` ${how === 'ratio' ? '/' : '−'} ${other}`;
    const described = `${of}${compared}, ${metric} of ${cell}`;
    return [figure.key, spread(figure), described, ...(goal === undefined ? [] : [`goal: ${goal}`])];
  });
  return `key figures, per round, then median (min–max) of the rounds\n${align(lines)}\n`;
}

function isIn(row: Row, column: Column): boolean {
  return row.cell === column.cell && row.metric === column.metric;
}

function spread({ median, min, max }: Summary, per = 1): string {
  return `${short(median / per)} (${short(min / per)}–${short(max / per)})`;
}

/** Three significant digits, never in exponential form. */
export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Lines of columns of equal width, indented. */
export function align(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const line of lines) {
    line.forEach((text, index) => {
      widths[index] = Math.max(widths[index] ?? 0, text.length);
    });
  }
  return lines
    .map((line) => `  ${line.map((text, index) => text.padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}
