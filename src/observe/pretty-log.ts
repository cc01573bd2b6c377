import { inspect, styleText } from 'node:util';
import { describe } from '../values/describe-value.ts';

type Style = Parameters<typeof styleText>[0];

/** Styles a part of a line; without colours it returns the text. */
export type Paint = (style: Style, text: string) => string;

const LEVELS: Readonly<Record<string, { readonly label: string; readonly style: Style }>> = {
  debug: { label: 'DEBUG', style: 'gray' },
  info: { label: 'INFO ', style: 'green' },
  warn: { label: 'WARN ', style: 'yellow' },
  error: { label: 'ERROR', style: 'red' },
};

/** The longest value of a field that is shown, in characters. */
const MOST_CHARACTERS = 200;

/** Colours for stderr, if it shows them: `NO_COLOR` and `FORCE_COLOR` decide. */
export const paintStderr: Paint = (style, text) =>
  styleText(style, text, { stream: process.stderr, validateStream: true });

/** One record as a line for a person, with the stacks of its errors below. */
export function prettyLines(
  level: string,
  time: Date,
  fields: object,
  message: string,
  paint: Paint,
): string {
  const { label, style } = LEVELS[level] ?? { label: level.toUpperCase(), style: 'white' };
  const about: string[] = [];
  const errors: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (value instanceof Error) errors.push(textOf(value));
    else about.push(`${name}=${short(value)}`);
  }
  const head = [paint('gray', clockTime(time)), paint(style, label), shown(message)];
  if (about.length > 0) head.push(paint('gray', about.join(' ')));
  return [head.join(' '), ...errors.map((error) => paint('gray', indented(shown(error))))].join('\n');
}

function clockTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const ms = String(time.getMilliseconds()).padStart(3, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : textOf(value);
  const line = shown(text.replaceAll(/\s+/g, ' '));
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}

/** Values of user code may throw when they are looked at. */
function textOf(value: unknown): string {
  try {
    return inspect(value, { breakLength: Infinity, depth: 4 });
  } catch {
    return describe(value);
  }
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}

/** Text that clients may have sent must not steer the terminal. */
function shown(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, (control) => {
    const code = control.charCodeAt(0).toString(16).padStart(2, '0');
    return `\\x${code}`;
  });
}
