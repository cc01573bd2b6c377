import { peek } from '../validation/peek.ts';
import { messageOf } from '../values/describe-value.ts';
import { importAdvice } from './import-advice.ts';
import { isOwnFile } from './own-files.ts';

/** Node puts the position of code that it cannot parse or link before the stack: `file:///app/model.ts:12`. */
const PARSED_AT = /^((?:file:\/\/|\/|[A-Za-z]:\\).*:\d+)$/;
/** Matches a stack frame: `at load (file:///app/model.ts:12:5)`, `at file:///app/model.ts:12:5`. */
const FRAME = /^\s+at (?:.*\()?((?:file:\/\/|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/;

/**
 * Describes why a replica did not start. For a module that could not be imported, with the file and the line, and with advice
 * where Node's module loader refused it: `file:///app/model.ts:12: Unexpected token ';'`.
 */
export function startFailureReason(phase: string, error: unknown): string {
  if (phase !== 'import') return messageOf(error);
  const place = placeOf(error);
  const reason = place === undefined ? messageOf(error) : `${place}: ${messageOf(error)}`;
  const advice = importAdvice(error);
  return advice === '' ? reason : `${reason.replace(/\.$/, '')}; ${advice}`;
}

/** The first position outside of this package in the stack of an error. */
function placeOf(error: unknown): string | undefined {
  const stack = typeof error === 'object' && error !== null ? peek(error, 'stack') : undefined;
  if (typeof stack !== 'string') return undefined;
  const lines = stack.split('\n');
  const parsed = PARSED_AT.exec(lines[0] ?? '');
  if (parsed !== null) return parsed[1];
  for (const line of lines) {
    const place = FRAME.exec(line)?.[1];
    if (place !== undefined && !isOwnFile(place)) return place;
  }
  return undefined;
}
