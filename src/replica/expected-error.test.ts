import { expect, test } from 'vitest';
import { ServeError } from '../errors.ts';
import { isExpectedError } from './expected-error.ts';

const withFields = (fields: object): Error => Object.assign(new Error('thrown'), fields);

test.each([
  ['a status below 500', withFields({ statusCode: 404 }), true],
  ['a plain object with one', { statusCode: 422 }, true],
  ['an error that is for the client', withFields({ expose: true }), true],
  ['… whatever its status', withFields({ expose: true, statusCode: 503 }), true],
  ['a status of 500', withFields({ statusCode: 500, expose: false }), false],
  ['the status of an answer from elsewhere', withFields({ status: 404 }), false],
  ['a mistake in the code', new TypeError('x is not a function'), false],
  ['the deadline of a child call', new ServeError('SERVE_TIMEOUT', 'late'), false],
  ['an argument that the schema refuses', new ServeError('SERVE_BAD_REQUEST', 'no number'), true],
  ['nothing at all', undefined, false],
  ['text', 'oops', false],
])('%s', (_what, error, isExpected) => {
  expect(isExpectedError(error)).toBe(isExpected);
});
