import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { post, send } from '../../test/support/post.ts';
import { Capture } from './capture.ts';
import { MARK, PORTABLE, type Portable } from './marks.ts';
import { type Packed, pack, packError, unpack } from './pack.ts';
import { isRequest, PortableRequest } from './request.ts';
import { onReviveHandle, revive } from './revive.ts';

/** Stands for a handle: crosses as its name; without one it stays as it is. */
class Named implements Portable {
  readonly #name: string | undefined;

  constructor(name: string | undefined) {
    this.#name = name;
  }

  [PORTABLE](): ReturnType<Portable[typeof PORTABLE]> {
    return this.#name === undefined ? undefined : { kind: MARK.handle, data: { name: this.#name } };
  }
}

let before: ReturnType<typeof onReviveHandle>;
beforeEach(() => {
  before = onReviveHandle((data) => ({ handleOf: Reflect.get(data, 'name') }));
});
afterEach(() => {
  onReviveHandle(before);
});

const NAMELESS = '[Object: null prototype] { n: 1, f: [Function: f] }';

class Undescribable {
  toString(): string {
    throw new Error('no text');
  }
}

describe('stand-ins are replaced', () => {
  test('wherever they are, and only they', () => {
    const buffer = Buffer.from('b');
    const lookalike = { base: 'TypeError', name: 'TypeError', message: 'm', stack: undefined, data: {} };
    const arrived = send({
      list: [buffer, new Uint8Array(1)],
      map: new Map<unknown, unknown>([
        [buffer, 'key'],
        ['value', new RangeError('r')],
      ]),
      set: new Set<unknown>([buffer, 1]),
      lookalike,
    }) as { list: unknown[]; map: Map<unknown, unknown>; set: Set<unknown>; lookalike: unknown };
    const [arrivedBuffer] = arrived.list;
    expect(Buffer.isBuffer(arrivedBuffer)).toBe(true);
    expect(Buffer.isBuffer(arrived.list[1])).toBe(false);
    expect([...arrived.map.keys()]).toEqual([arrivedBuffer, 'value']);
    expect(arrived.map.get(arrivedBuffer)).toBe('key');
    expect(arrived.map.get('value')).toBeInstanceOf(RangeError);
    expect([...arrived.set][0]).toBe(arrivedBuffer);
    expect(arrived.lookalike).toEqual(lookalike);
  });

  test('over all arguments of a call at once', () => {
    const [buffer, error] = [Buffer.from('b'), new Error('e')];
    const capture = new Capture();
    const args = [{ buffer }, buffer, [error], error].map((arg, index) => capture.take(arg, 'm', index));
    const [posted, marks] = post([args, capture.marks]) as [unknown[], unknown[]];
    const [first, second, third, fourth] = revive(posted, marks) as [
      { buffer: Buffer },
      Buffer,
      Error[],
      Error,
    ];
    expect(first.buffer).toBe(second);
    expect(third[0]).toBe(fourth);
  });

  test('handles become handles of the receiving thread; one that is sent twice is one', () => {
    const handle = new Named('Detector');
    const arrived = send({ handle, again: [handle] }) as { handle: unknown; again: unknown[] };
    expect(arrived.handle).toEqual({ handleOf: 'Detector' });
    expect(arrived.again[0]).toBe(arrived.handle);
  });

  test('a portable object may stay as it is', () => {
    const bound = new Named(undefined);
    const [kept] = new Capture().take([bound], 'bind', 0) as [unknown];
    expect(kept).toBe(bound);
  });
});

describe('a packed value', () => {
  test('can be posted any number of times', () => {
    const packed = pack({ bytes: Buffer.alloc(100_000, 1) }, 'X.bind');
    for (let time = 0; time < 2; time++) {
      const { bytes } = unpack(post(packed) as Packed) as { bytes: Buffer };
      expect(bytes.equals(Buffer.alloc(100_000, 1))).toBe(true);
    }
  });

  test('is refused under its name', () => {
    expect(() => pack({ f: () => {} }, 'X.bind')).toThrow('X.bind(result).f cannot cross a thread');
  });

  test.each([
    ['an error', new TypeError('t'), TypeError, 't'],
    ['a function', function stop() {}, Error, 'function stop'],
    ['a class instance', new URL('http://x.test/'), Error, 'http://x.test/'],
    ['an object without a prototype', Object.assign(Object.create(null), { n: 1, f() {} }), Error, NAMELESS],
    ['an object that cannot be described', new Undescribable(), Error, 'an unreadable object'],
  ])('of something thrown always packs: %s', (_what, thrown, type, message) => {
    const error = unpack(post(packError(thrown)) as Packed);
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toBe(message);
  });
});

describe('a Request as a whole argument', () => {
  const cross = async (request: Request): Promise<Request> =>
    send(await PortableRequest.from(request)) as Request;

  test('arrives with method, URL, headers and body', async () => {
    const headers = new Headers([
      ['content-type', 'application/json'],
      ['x-two', 'a'],
      ['x-two', 'b'],
    ]);
    const arrived = await cross(
      new Request('http://x.test/p?q=1', { method: 'PUT', headers, body: '{"a":1}' }),
    );
    expect(isRequest(arrived)).toBe(true);
    expect([arrived.method, arrived.url]).toEqual(['PUT', 'http://x.test/p?q=1']);
    expect([...arrived.headers]).toEqual([...headers]);
    expect(await arrived.json()).toEqual({ a: 1 });
  });

  test.each(['GET', 'HEAD', 'DELETE', 'POST'])('may have no body: %s', async (method) => {
    const arrived = await cross(new Request('http://x.test/', { method }));
    expect(arrived.method).toBe(method);
    expect(await arrived.text()).toBe('');
  });

  test('counts the bytes of its body', async () => {
    const request = new Request('http://x.test/', { method: 'POST', body: new Uint8Array(70_000) });
    const capture = new Capture();
    capture.take(await PortableRequest.from(request), 'call', 0);
    expect(capture.bytes).toBeGreaterThanOrEqual(70_000);
  });
});
