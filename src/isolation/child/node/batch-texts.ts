import { FRAME } from '../../../channel/frames.ts';
import { callsWithValues, joinCalls } from '../../../channel/json/calls-as-json.ts';
import { resultsAsJson, resultsWithParts } from '../../../channel/json/results-as-json.ts';
import { malformed } from '../../../wire/wire-error.ts';

/** First byte of a message of calls, and of a message of results. Other messages begin with a bracket, or a small number. */
const CALLS = 0x43;
const RESULTS = 0x52;
/** Separates the state of the child from the results. */
const BORDER = '\n';

/** The calls of one message as `channel/frames.ts` lays them out, and the state of the child that came along. */
export interface CallsOfMessage {
  readonly state: readonly number[] | undefined;
  readonly frames: unknown[];
}

/**
 * Returns calls that are passed on, or results of the child, as one text; undefined if it cannot express them.
 *
 * @param state state of the child that goes along with results; undefined if it is unchanged
 */
export function encodeBatch(
  state: readonly number[] | undefined,
  frames: readonly unknown[],
): string | undefined {
  if (frames[0] === FRAME.call || frames[0] === FRAME.callExtra) {
    const calls = joinCalls(frames);
    return calls && `C${calls}`;
  }
  const results = resultsAsJson(frames);
  return results && `R${state === undefined ? '' : JSON.stringify(state)}${BORDER}${results}`;
}

/** Whether a message was made by `encodeBatch`. */
export function isBatch(message: Uint8Array): boolean {
  return message[0] === CALLS || message[0] === RESULTS;
}

/** Returns calls with their arguments, or results as parts of a batch. @throws WireError */
export function decodeBatch(message: Buffer): CallsOfMessage {
  const text = message.toString('utf8');
  try {
    if (message[0] === CALLS) return { state: undefined, frames: callsWithValues(text.slice(1)) };
    const border = text.indexOf(BORDER);
    const state = border === 1 ? undefined : (JSON.parse(text.slice(1, border)) as number[]);
    return { state, frames: resultsWithParts(text.slice(border + 1)) };
  } catch {
    throw malformed('a message of calls is no JSON');
  }
}
