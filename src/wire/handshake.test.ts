import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { introduction, security } from '../../test/support/wire/links.ts';
import { streamPair } from '../../test/support/wire/pair.ts';
import { FRAME } from '../channel/frames.ts';
import { Codec } from './codec.ts';
import { commonVersion, type Session, shakeHands } from './handshake.ts';
import type { LinkSocket, LinkSocketEvents } from './link-socket.ts';
import { messageHead } from './message.ts';
import type { LinkSecurity } from './security.ts';
import { StreamLinkSocket } from './stream-link.ts';
import type { Fault } from './wire-error.ts';

const SEED = 20_261_129;
const PLAIN = security({ trustNetwork: true });

/** Changes the messages that one side sends; nothing for one that is lost. */
type Tamper = (message: Buffer, index: number) => Buffer | undefined;

function tampered(socket: LinkSocket, tamper: Tamper): LinkSocket {
  let index = 0;
  return {
    unsent: 0,
    listen: (events: LinkSocketEvents) => socket.listen(events),
    send: (pieces) => {
      const message = tamper(Buffer.concat(pieces), index++);
      if (message !== undefined && message.length > 0) socket.send([message]);
    },
    close: (code, reason) => socket.close(code, reason),
    destroy: () => socket.destroy(),
  };
}

type Outcome = { readonly session: Session } | { readonly fault: Fault; readonly code: string };

/** Both ends of one handshake, once both are over. */
async function meeting(
  tamper: { dialer?: Tamper; listener?: Tamper } = {},
  ends: { dialer?: LinkSecurity; listener?: LinkSecurity } = {},
): Promise<Record<'dialer' | 'listener', Outcome>> {
  const [a, b] = streamPair();
  const end = (role: 'dialer' | 'listener', socket: LinkSocket): Promise<Outcome> =>
    new Promise((resolve) => {
      shakeHands(tampered(socket, tamper[role] ?? ((message) => message)), {
        role,
        self: introduction(role),
        security: ends[role] ?? PLAIN,
        binding: '',
        onOpen: (session) => resolve({ session }),
        onFailed: (error, fault) => resolve({ fault, code: Reflect.get(error, 'code') as string }),
      });
    });
  const [listener, dialer] = await Promise.all([
    end('listener', new StreamLinkSocket(a)),
    end('dialer', new StreamLinkSocket(b)),
  ]);
  a.destroy();
  return { dialer, listener };
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

test('both ends know each other', async () => {
  const { dialer, listener } = await meeting();
  expect(dialer).toMatchObject({ session: { instance: 'listener', role: 'dialer', version: 1 } });
  expect(listener).toMatchObject({ session: { instance: 'dialer', role: 'listener', version: 1 } });
});

test.each([
  [1, 1, 1],
  [2, 1, 1],
  [1, 2, 1],
  [3, 1, undefined],
  [1, 3, undefined],
])('versions %s and %s speak %s', (a, b, spoken) => {
  expect(commonVersion(a, b)).toBe(spoken);
});

describe('messages that are not those that were sent', () => {
  const whole: Record<'dialer' | 'listener', Buffer[]> = { dialer: [], listener: [] };
  const record = (role: 'dialer' | 'listener') => (message: Buffer) => {
    whole[role].push(message);
    return message;
  };

  test.each(['dialer', 'listener'] as const)('open no link, cut at any byte: of the %s', async (role) => {
    await meeting({ [role]: record(role) });
    for (const [index, { length }] of whole[role].entries()) {
      for (let end = 4; end < length; end++) {
        const cut: Tamper = (message, at) => (at === index ? message.subarray(0, end) : message);
        const outcome = await meeting({ [role]: cut });
        expect('fault' in outcome[role === 'dialer' ? 'listener' : 'dialer']).toBe(true);
      }
    }
  });

  test('open no link, changed at any byte by who does not know the secret', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('dialer', 'listener'),
        fc.nat(1),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (role, index, place, flip) => {
          const change: Tamper = (message, at) => {
            if (at !== index) return message;
            const changed = Buffer.from(message);
            changed[4 + (place % (message.length - 4))] =
              (changed[4 + (place % (message.length - 4))] as number) ^ flip;
            return changed;
          };
          const { dialer, listener } = await meeting({ [role]: change });
          const other = role === 'dialer' ? listener : dialer;
          // The last message of who listens may be lost on who listens: nothing comes back. All else fails for both.
          expect('fault' in other).toBe(true);
          if (!(role === 'listener' && index === 1))
            expect('fault' in dialer || 'fault' in listener).toBe(true);
        },
      ),
      { seed: SEED, numRuns: 400 },
    );
  });

  /** Slots of a message of the handshake in place of its own: kind, count, fields. */
  const REWRITTEN: ReadonlyArray<readonly [string, (slots: unknown[]) => unknown[]]> = [
    ['one field too many', ([kind, count, ...fields]) => [kind, (count as number) + 1, ...fields, 'more']],
    [
      'one field too few',
      ([kind, count, ...fields]) => [kind, (count as number) - 1, ...fields.slice(0, -1)],
    ],
    ['a count that is too high', ([kind, count, ...fields]) => [kind, (count as number) + 1, ...fields]],
    ['a count that is none', ([kind, , ...fields]) => [kind, 'x', ...fields]],
    ['a frame that is not known', ([, count, ...fields]) => [99, count, ...fields]],
    ['a call', () => [FRAME.call, 0, 0, 1, 0, 0]],
    ['nothing', () => []],
    ['a first field that is too deep', ([kind, count, , ...rest]) => [kind, count, nested(900), ...rest]],
    ['a text where a number belongs', ([kind, count, , ...rest]) => [kind, count, { length: 1 }, ...rest]],
  ];

  test.each(
    (['dialer', 'listener'] as const).flatMap((role) =>
      [0, 1].flatMap((index) => REWRITTEN.map(([what, rewrite]) => [what, index, role, rewrite] as const)),
    ),
  )('open no link: %s in message %s of the %s', async (_what, index, role, rewrite) => {
    const change: Tamper = (message, at) =>
      at === index
        ? messageHead(new Codec().encode(rewrite(new Codec().decode(message.subarray(4)))))
        : message;
    const outcome = await meeting({ [role]: change });
    const other = outcome[role === 'dialer' ? 'listener' : 'dialer'];
    expect('fault' in other && ['malformed', 'unauthorized', 'limit', 'depth']).toContain(
      'fault' in other ? other.fault : undefined,
    );
  });

  test('open no link: the messages of another handshake', async () => {
    const before: Buffer[] = [];
    await meeting({
      dialer: (message) => {
        before.push(message);
        return message;
      },
    });
    const { listener } = await meeting({ dialer: (_message, index) => before[index] });
    expect(listener).toEqual({ fault: 'unauthorized', code: 'SERVE_UNAUTHORIZED' });
  });

  test('open no link: another version, although each alone would do', async () => {
    const older: Tamper = (message, index) => {
      const at = message.indexOf(Buffer.from([0xa6, ...Buffer.from('dialer')])) - 1;
      if (index !== 0) return message;
      expect(message[at]).toBe(1);
      const changed = Buffer.from(message);
      changed[at] = 0;
      return changed;
    };
    const { dialer, listener } = await meeting({ dialer: older });
    expect(listener).toEqual({ fault: 'unauthorized', code: 'SERVE_UNAUTHORIZED' });
    expect('fault' in dialer).toBe(true);
  });
});

test('another secret opens no link, whichever end has it', async () => {
  const other = security({ trustNetwork: true, secrets: ['another secret of 32 bytes, at least'] });
  for (const ends of [{ dialer: other }, { listener: other }]) {
    const { dialer, listener } = await meeting({}, ends);
    expect(listener).toMatchObject({ fault: 'unauthorized' });
    expect('fault' in dialer).toBe(true);
  }
});

test('a secret that is short is refused', () => {
  expect(() => security({ secrets: ['short'] })).toThrow(
    expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
  );
});
