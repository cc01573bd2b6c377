import { messageOf } from '../values/describe-value.ts';
import { importAdvice } from './import-advice.ts';
import { importMessage, importPlace } from './import-place.ts';

/**
 * Describes why a replica did not start. For a module that could not be imported, with the file and the line, and with advice
 * where another tool could have imported it: `file:///app/model.ts:12: Unexpected token ';'`.
 */
export function startFailureReason(phase: string, error: unknown): string {
  if (phase !== 'import') return messageOf(error);
  const place = importPlace(error);
  const message = importMessage(error, place);
  const reason = place === undefined ? message : `${place.text}: ${message}`;
  const advice = importAdvice(error, place);
  return advice === '' ? reason : `${reason.replace(/\.$/, '')}; ${advice}`;
}
