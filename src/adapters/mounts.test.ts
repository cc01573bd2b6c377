import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../test/support/garbage.ts';
import { eventually } from '../../test/support/until.ts';
import { parseMiddlewareOptions } from './middleware-options.ts';
import { type Mount, Mounts } from './mounts.ts';

const options = parseMiddlewareOptions({});
const mount = (app: string, path: string): Mount => ({ app, path, options });

describe('a path', () => {
  test('is of the mount at the longest path above it, and of the last one there', () => {
    const segment = fc.constantFrom('', '/a', '/b', '/ab', '/a/b', '/a/b/c', '/a/', '//');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(segment, fc.constantFrom('x', 'y')), { maxLength: 6 }),
        segment,
        segment,
        (made, head, tail) => {
          const mounts = new Mounts(() => true);
          const all = made.map(([path, app]) => mounts.add(mount(app, path.replace(/\/+$/, ''))));
          const path = `${head}${tail}`;
          let best: Mount | undefined;
          for (const one of all) {
            const isAbove =
              path.startsWith(one.path) &&
              ['', '/'].includes(path.slice(one.path.length, one.path.length + 1));
            if (isAbove && one.path.length >= (best?.path.length ?? 0)) best = one;
          }
          expect(mounts.above(path)).toBe(best);
          expect(mounts.has('x')).toBe(made.some(([, app]) => app === 'x'));
        },
      ),
    );
  });

  test('has one mount of an app, however often that is mounted there', () => {
    const mounts = new Mounts(() => true);
    for (let count = 0; count < 1_000; count++) mounts.add(mount('x', '/x'));
    expect(mounts.size).toBe(1);
  });
});

test('mounts of apps that are away stay as long as their middleware, those of others for good', async () => {
  const away = new Set<string>();
  const mounts = new Mounts((app) => !away.has(app));
  const kept = mounts.add(mount('kept', '/kept'));
  for (let count = 0; count < 200; count++) {
    mounts.add(mount(`app${count}`, `/app${count}`));
    away.add(`app${count}`);
  }
  away.add('kept');
  mounts.add(mount('there', '/there'));
  await eventually(async () => {
    await collectGarbage();
    // One more, so that it is looked again.
    for (let count = 0; count < 200; count++) mounts.add(mount('there', `/there/${count}`));
    await collectGarbage();
    return mounts.above('/app0') === undefined;
  });
  expect(mounts.above('/kept/deep')).toBe(kept);
  expect(mounts.above('/there')?.app).toBe('there');
  expect(mounts.size).toBeLessThan(300);
});
