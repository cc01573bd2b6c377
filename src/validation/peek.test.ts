import { describe, expect, test } from 'vitest';
import { UNREADABLE, UNREADABLE_NAMES } from '../../test/support/unreadable.ts';
import { invalidOption, ServeError } from '../errors.ts';
import { Capture } from '../values/capture.ts';
import { describe as inWords, messageOf } from '../values/describe-value.ts';
import { isRequest } from '../values/request.ts';
import { isPlainObject } from './fields.ts';
import { isInstance, peek, tagOf } from './peek.ts';
import { isSchema } from './schema.ts';
import { isThenable, whenSettled } from './thenable.ts';

describe.each(UNREADABLE_NAMES)('%s', (name) => {
  const make = UNREADABLE[name];

  test.each([
    ['peek', (value: unknown) => peek(value, 'then')],
    ['isInstance', (value: unknown) => isInstance(value, Error)],
    ['isThenable', isThenable],
    ['isPlainObject', isPlainObject],
    ['isSchema', isSchema],
    ['isRequest', isRequest],
    ['instanceof ServeError', (value: unknown) => value instanceof ServeError],
    ['tagOf', tagOf],
    ['describe', inWords],
    ['messageOf', messageOf],
    ['invalidOption', (value: unknown) => invalidOption('option', value, 'another').code],
  ])('may be looked at by %s', (_what, look) => {
    expect(() => look(make())).not.toThrow();
  });

  test.each([
    ['whole', (value: object) => value, ''],
    ['nested', (value: object) => ({ a: [value] }), '.a[0]'],
    ['a value of a Map', (value: object) => new Map([['k', value]]), '.k'],
    ['an item of a Set', (value: object) => new Set([value]), '[<item>]'],
  ])('is refused when it is captured: %s', (_where, wrap, path) => {
    expect(() => new Capture().take(wrap(make()), 'predict', 0)).toThrow(
      expect.objectContaining({
        code: 'SERVE_NOT_SERIALIZABLE',
        message: expect.stringContaining(`predict(arg 0)${path}`),
      }),
    );
  });

  test.each([
    ['a property', (value: object) => Object.assign(new RangeError('real'), { value })],
    ['the cause', (cause: object) => new RangeError('real', { cause })],
    ['the name', (value: object) => Object.assign(new RangeError('real'), { name: value })],
    ['the prototype', (value: object) => Object.setPrototypeOf(new RangeError('real'), value) as Error],
  ])('does not take the place of an error that has it: %s', (_where, wrap) => {
    const envelope = new Capture().take(wrap(make()), 'predict', 0);
    expect(envelope).toMatchObject({ message: 'real' });
  });

  test('does not take the place of an AggregateError', () => {
    const error = new AggregateError([make(), new RangeError('second')], 'both');
    expect(new Capture().take(error, 'predict', 0)).toMatchObject({
      message: 'both',
      // What can cross of it, or what it is in words.
      errors: [expect.anything(), { message: 'second' }],
    });
    const broken = Object.assign(new AggregateError([], 'both'), { errors: make() });
    expect(new Capture().take(broken, 'predict', 0)).toMatchObject({ message: 'both', errors: [] });
  });
});

describe('whenSettled', () => {
  const outcomeOf = (promise: PromiseLike<unknown>): Promise<unknown> =>
    new Promise((resolve) =>
      whenSettled(
        promise,
        (value) => resolve({ value }),
        (error) => resolve({ error }),
      ),
    );

  const thenable = (then: unknown): PromiseLike<unknown> =>
    Object.defineProperty({}, 'then', { value: then }) as PromiseLike<unknown>;

  test('takes what a promise comes to', async () => {
    expect(await outcomeOf(Promise.resolve(1))).toEqual({ value: 1 });
    expect(await outcomeOf(Promise.reject(2))).toEqual({ error: 2 });
  });

  test('takes what a foreign `then` throws for a rejection', async () => {
    const error = new Error('thrown');
    const broken = thenable(() => {
      throw error;
    });
    expect(await outcomeOf(broken)).toEqual({ error });
  });

  test('hears of the first outcome only', async () => {
    const outcomes: unknown[] = [];
    const noisy = thenable((onValue: (value: number) => void, onError: (error: unknown) => void) => {
      onValue(1);
      onValue(2);
      onError(3);
    });
    whenSettled(
      noisy,
      (value) => outcomes.push(value),
      (error) => outcomes.push(error),
    );
    await new Promise(setImmediate);
    expect(outcomes).toEqual([1]);
  });
});
