import { badRequest } from './bad-request.ts';

/** The deepest nesting of arrays and objects. `JSON.parse` blocks the thread for a second for a million levels. */
const MAX_DEPTH = 64;
/** The most keys of one object. Beyond it V8 turns objects into hash tables, one key at a time. */
const MAX_KEYS = 10_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * `JSON.parse` for text that is not trusted: nesting and keys are counted before anything is built, and no key can reach a
 * prototype when user code copies or merges the value.
 *
 * @throws ServeError `SERVE_BAD_REQUEST`
 */
export function parseJson(text: string): unknown {
  checkJson(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const isEmpty = text.trim() === '';
    throw badRequest(isEmpty ? 'the body is empty; it must be JSON' : 'the body is not valid JSON', {
      cause,
    });
  }
}

/** Checks the limits in one pass over the text. Invalid JSON is left to the parser to refuse. */
function checkJson(text: string): void {
  /** The number of keys so far of the object at each depth. */
  const keys = new Int32Array(MAX_DEPTH + 1);
  /** The key whose value is the container at each depth. */
  const owners: (string | undefined)[] = [];
  let depth = 0;
  /** The range of the last string, without its quotes. */
  let from = 0;
  let to = 0;
  let key: string | undefined;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        from = at + 1;
        to = endOfString(text, from);
        at = to;
        break;
      case COLON:
        key = keyOf(text, from, to);
        keys[depth] = (keys[depth] as number) + 1;
        if ((keys[depth] as number) > MAX_KEYS) {
          throw badRequest(`the body has an object with more than ${MAX_KEYS} keys`);
        }
        if (key === '__proto__' || (key === 'prototype' && owners[depth] === 'constructor')) {
          throw badRequest(`the body has a key '${key}', which is not allowed`);
        }
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        if (++depth > MAX_DEPTH) throw badRequest(`the body is nested more than ${MAX_DEPTH} levels deep`);
        keys[depth] = 0;
        owners[depth] = key;
        key = undefined;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        if (depth > 0) depth--;
        key = undefined;
        break;
    }
  }
}

/** The index of the quote that ends the string. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return text.length;
}

/** The length of the longest spelling of a key that is searched for: `constructor` with every character escaped. */
const MAX_SPELLING = 'constructor'.length * '\\u0000'.length;

/** The key, or undefined if its length rules out every key that is searched for. */
function keyOf(text: string, from: number, to: number): string | undefined {
  if (to - from < '__proto__'.length || to - from > MAX_SPELLING) return undefined;
  const raw = text.slice(from, to);
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return undefined;
  }
}
