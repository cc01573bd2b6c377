import { once } from 'node:events';
import { Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { send } from '../../test/support/post.ts';
import { ServeError } from '../errors.ts';
import { Capture } from './capture.ts';

/** A thrown value as its caller gets it. */
const thrown = (value: unknown): Record<string, unknown> & Error => send(value) as never;

class NotFound extends RangeError {
  override name = 'NotFound';
  readonly statusCode = 404;
  readonly expose = true;
  readonly #secret = 1;

  get code(): string {
    return `E_${this.#secret}`;
  }

  retry(): void {}
}

test.each([Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError])(
  'a %o is one on the other side, with message and stack',
  (BuiltIn) => {
    const error = new BuiltIn('no model');
    const arrived = thrown(error);
    expect(arrived).toBeInstanceOf(BuiltIn);
    expect(Object.getPrototypeOf(arrived)).toBe(BuiltIn.prototype);
    expect(arrived.name).toBe(BuiltIn.name);
    expect(arrived.message).toBe('no model');
    expect(arrived.stack).toBe(error.stack);
    expect(Object.keys(arrived)).toEqual([]);
  },
);

test('a class of user code keeps its name and its data, and the nearest built-in class', () => {
  const arrived = thrown(new NotFound('no such row'));
  expect(arrived).toBeInstanceOf(RangeError);
  expect(arrived).toMatchObject({ name: 'NotFound', message: 'no such row', statusCode: 404, expose: true });
  // An accessor of the class, which `Object.keys` does not list.
  expect(arrived['code']).toBe('E_1');
  expect(arrived).not.toHaveProperty('retry');
});

test('own data arrives as values do: nested, shared, marked', () => {
  const shared = { at: new Date(5) };
  const error = Object.assign(new Error('x'), {
    code: 'E_BATCH',
    bytes: Buffer.from('ab'),
    items: [shared, shared],
    errors: ['of a validator'],
    inner: new TypeError('inside'),
  });
  const arrived = thrown(error);
  expect(arrived).toMatchObject({ code: 'E_BATCH', bytes: Buffer.from('ab'), errors: ['of a validator'] });
  expect(Buffer.isBuffer(arrived['bytes'])).toBe(true);
  const items = arrived['items'] as unknown[];
  expect(items[0]).toBe(items[1]);
  expect(arrived['inner']).toBeInstanceOf(TypeError);
});

test('a key called __proto__ stays data', () => {
  const error = new Error('x');
  Object.defineProperty(error, '__proto__', { value: { isAdmin: true }, enumerable: true });
  const arrived = thrown(error);
  expect(Object.getPrototypeOf(arrived)).toBe(Error.prototype);
  expect(Object.getOwnPropertyDescriptor(arrived, '__proto__')?.value).toEqual({ isAdmin: true });
});

describe('what cannot cross is left out, and never takes the place of the error', () => {
  test('sockets, functions, class instances, getters that throw', () => {
    const error = Object.assign(new TypeError('broken pipe'), {
      code: 'EPIPE',
      socket: new Socket(),
      config: { retries: 3, transform: () => {} },
      request: new URL('http://x.test/'),
    });
    Object.defineProperty(error, 'body', {
      enumerable: true,
      get: () => {
        throw new Error('already read');
      },
    });
    const arrived = thrown(error);
    expect(arrived).toMatchObject({ name: 'TypeError', message: 'broken pipe', code: 'EPIPE' });
    expect(Object.keys(arrived)).toEqual(['code', 'config']);
    expect(arrived['config']).toEqual({ retries: 3 });
  });

  test('that part alone, as in the errors of HTTP clients', () => {
    class Headers {
      get(): void {}
    }
    const config = { url: '/x', validateStatus: () => true, headers: new Headers(), timeout: 0 };
    const response = {
      status: 503,
      data: { message: 'busy', at: new Date(5) },
      headers: new Headers(),
      config,
      request: new Socket(),
    };
    const arrived = thrown(Object.assign(new Error('503'), { code: 'ERR_BAD_RESPONSE', config, response }));
    expect(Object.keys(arrived)).toEqual(['code', 'config', 'response']);
    expect(arrived['response']).toStrictEqual({
      status: 503,
      data: { message: 'busy', at: new Date(5) },
      config: { url: '/x', timeout: 0 },
    });
    expect(arrived['config']).toBe((arrived['response'] as { config: unknown }).config);
  });

  test('that part alone, of every container', () => {
    const refused = [() => {}, Symbol('s'), new Socket(), new Promise(() => {}), new Proxy({}, {})];
    const nested = { deep: [{ fine: 1, refused }] };
    const list = [1, ...refused, 2];
    const error = Object.assign(new Error('x'), {
      list,
      nested,
      map: new Map<unknown, unknown>([
        ['a', 1],
        ['b', () => {}],
        [() => {}, 2],
      ]),
      set: new Set([1, ...refused]),
      inner: new TypeError('inside', { cause: { refused, fine: 2 } }),
      partly: Object.defineProperty({ fine: 3 }, 'not', {
        get: () => {
          throw new Error('never');
        },
        enumerable: true,
      }),
    });
    const arrived = thrown(error);
    expect(arrived['list']).toStrictEqual(Object.assign(new Array(7), { 0: 1, 6: 2 }));
    expect(arrived['nested']).toStrictEqual({ deep: [{ fine: 1, refused: new Array(5) }] });
    expect(arrived['map']).toStrictEqual(new Map([['a', 1]]));
    expect(arrived['set']).toStrictEqual(new Set([1]));
    expect((arrived['inner'] as Error).cause).toStrictEqual({ refused: new Array(5), fine: 2 });
    expect(arrived['partly']).toMatchObject({ fine: 3 });
    // What stands beside an error is taken whole or not at all.
    expect(() => send([error, nested])).toThrow('it is a function');
  });

  test('many parts, in a time that grows with their number', () => {
    const parts = Array.from({ length: 20_000 }, (_, index) => ({ index, f: () => {} }));
    const arrived = thrown(Object.assign(new Error('x'), { parts }));
    // 0.4 s; with a walk over all parts for each of them it would be hours.
    expect(arrived['parts']).toHaveLength(20_000);
  });

  test('an object that was taken in one place is the same in the next', () => {
    const config = { retries: 3, headers: { a: 'b' }, transform: () => {}, more: { c: 'd' } };
    const error = Object.assign(new Error('x'), {
      config,
      response: { status: 500, config },
      headers: config.headers,
      status: 500,
    });
    const arrived = thrown(error);
    expect(Object.keys(arrived).sort()).toEqual(['config', 'headers', 'response', 'status']);
    expect(arrived['config']).toEqual({ retries: 3, headers: { a: 'b' }, more: { c: 'd' } });
    expect((arrived['response'] as { config: unknown }).config).toBe(arrived['config']);
    expect((arrived['config'] as { headers: unknown }).headers).toBe(arrived['headers']);
  });

  test('what a refused member held is not sent along', () => {
    // Its key is taken before its value is refused.
    const key = { image: new Uint8Array(100_000), text: Buffer.from('x') };
    const held = new Map([[key, () => {}]]);
    const capture = new Capture();
    capture.take(Object.assign(new Error('x'), { held }), 'fail', 0);
    expect(capture.transfer).toBeUndefined();
    expect(capture.marks).toHaveLength(2);
    expect(capture.bytes).toBeLessThan(100_000);
    capture.reset();
    capture.take(Object.assign(new Error('x'), { sent: new Uint8Array(65_536), held }), 'fail', 0);
    expect(capture.transfer).toHaveLength(1);
  });

  test('a cause that cannot cross is described', () => {
    expect(thrown(new Error('x', { cause: [() => {}][0] })).cause).toBe('a function');
    expect(thrown(new Error('x', { cause: function load() {} })).cause).toBe('function load');
    expect(thrown(new Error('x', { cause: new URL('http://x.test/') })).cause).toBe('http://x.test/');
    const { proxy: unreadable, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(thrown(new Error('x', { cause: unreadable })).cause).toBe('an unreadable object');
  });

  test('odd names and messages are text', () => {
    const odd = Object.defineProperties(new Error('x'), {
      name: { value: Symbol('n') },
      message: {
        get: () => {
          throw new Error('never');
        },
      },
    });
    expect(thrown(odd)).toMatchObject({ name: 'Symbol(n)', message: '' });
  });
});

describe('cause', () => {
  test('the chain arrives, whatever it is made of', () => {
    const root = new RangeError('root');
    const arrived = thrown(new Error('top', { cause: new TypeError('middle', { cause: root }) }));
    const middle = arrived.cause as Error;
    expect(middle).toBeInstanceOf(TypeError);
    expect(middle.cause).toBeInstanceOf(RangeError);
    expect((middle.cause as Error).stack).toBe(root.stack);
    expect(thrown(new Error('x', { cause: { code: 7 } })).cause).toEqual({ code: 7 });
    expect(thrown(new Error('x', { cause: null })).cause).toBeNull();
    expect(Object.keys(arrived)).not.toContain('cause');
  });

  test('an error may be its own cause', () => {
    const error = new Error('x');
    error.cause = { error };
    const arrived = thrown(error);
    expect((arrived.cause as { error: Error }).error).toBe(arrived);
  });
});

test('an AggregateError keeps its errors, those that cannot cross in words', () => {
  const arrived = thrown(new AggregateError([new TypeError('a'), 'b', () => {}, { c: 1 }], 'all'));
  expect(arrived).toBeInstanceOf(AggregateError);
  const { errors } = arrived as unknown as AggregateError;
  expect(errors[0]).toBeInstanceOf(TypeError);
  expect(errors.slice(1)).toEqual(['b', 'a function', { c: 1 }]);
  expect(Object.keys(arrived)).toEqual([]);
  const spoilt = Object.defineProperty(new AggregateError([]), 'errors', { value: 7 });
  expect((thrown(spoilt) as unknown as AggregateError).errors).toEqual([]);
});

test('a DOMException is one, with its legacy code', () => {
  const arrived = thrown(new DOMException('stop', 'AbortError'));
  expect(arrived).toBeInstanceOf(DOMException);
  expect(arrived).toMatchObject({ name: 'AbortError', message: 'stop', code: 20 });
  expect(Object.keys(arrived)).toEqual([]);
});

describe('a ServeError', () => {
  test('keeps brand, code and data', () => {
    const arrived = thrown(
      new ServeError('SERVE_BACKPRESSURE', 'full', { statusCode: 429, deployment: 'D', retryAfterMs: 250 }),
    );
    expect(arrived).toBeInstanceOf(ServeError);
    expect(Object.getPrototypeOf(arrived)).toBe(ServeError.prototype);
    expect(arrived).toMatchObject({
      name: 'ServeError',
      message: 'full',
      code: 'SERVE_BACKPRESSURE',
      statusCode: 429,
      retryable: true,
      deployment: 'D',
      retryAfterMs: 250,
    });
  });

  test.each([['SERVE_OF_TOMORROW'], [undefined], [7], ['constructor']])(
    'may have a code that this version does not know: %s',
    (code) => {
      const arrived = thrown(Object.assign(new ServeError('SERVE_TIMEOUT', 'late'), { code }));
      expect(arrived).toBeInstanceOf(ServeError);
      expect(arrived).toMatchObject({ code, message: 'late', statusCode: 504 });
    },
  );
});

test.each([['text'], [7], [null], [undefined], [{ reason: 'plain' }], [[1, 2]]])(
  'what is no error stays what it is: %j',
  (value) => {
    expect(thrown(value)).toStrictEqual(value);
  },
);

test('an error that Node makes itself arrives with code and errno', async () => {
  const socket = new Socket();
  socket.connect({ host: '127.0.0.1', port: 1 });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(thrown(error)).toMatchObject({
    code: 'ECONNREFUSED',
    errno: error.errno,
    syscall: 'connect',
    port: 1,
  });
  const { port1 } = new MessageChannel();
  try {
    port1.postMessage(() => {});
  } catch (refused) {
    expect(thrown(refused)).toMatchObject({ name: 'DataCloneError', code: 25 });
  } finally {
    port1.close();
  }
});
