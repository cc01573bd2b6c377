import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

function sourceOf(file: string): string {
  return readFileSync(join('src', file), 'utf8');
}

/** What a source imports: other files of `src/` as paths from there, packages by name. */
function importsIn(source: string, file: string): string[] {
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'([^'\n]+)'/g)].map(([, specifier = '']) =>
    specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier,
  );
}

function withoutTypes(source: string): string {
  return source.replaceAll(/^(?:import|export) type [^;]+;/gms, '');
}

const FILES = globSync('**/*.ts', { cwd: 'src' }).filter((file) => !file.endsWith('.test.ts'));

/** Imports by file, types included. */
const IMPORTS = new Map(FILES.map((file) => [file, importsIn(sourceOf(file), file)]));
/** The same without types, which are gone at run time. */
const RUN_TIME_IMPORTS = new Map(FILES.map((file) => [file, importsIn(withoutTypes(sourceOf(file)), file)]));

/** The first circle in a graph, as a path; undefined if there is none. */
function circleIn(nodes: Iterable<string>, next: (node: string) => Iterable<string>): string | undefined {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): string | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node].join(' → ');
    if (done.has(node)) return undefined;
    for (const other of next(node)) {
      const circle = visit(other, [...path, node]);
      if (circle !== undefined) return circle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of nodes) {
    const circle = visit(node, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** The imports among files of `src/`. */
function edges(): [from: string, to: string][] {
  return FILES.flatMap((file) =>
    (IMPORTS.get(file) ?? [])
      .filter((target) => IMPORTS.has(target))
      .map((target): [string, string] => [file, target]),
  );
}

/** From the ground up: a room imports itself and what stands below it, types included. */
const FLOORS = [
  'errors.ts',
  'node-version.ts',
  'validation',
  'input',
  'openapi',
  'time',
  'tracing',
  'values',
  'load',
  'channel',
  'wire',
  'handle',
  'batching',
  'user-metrics',
  'deployment',
  'replica',
  'graph',
  'store',
  'controller',
  'observe',
  'isolation',
  'cluster',
  'instance',
  'adapters',
  'run-options.ts',
  'serve-options.ts',
  'serve.ts',
  'default-serve.ts',
  'index.ts',
  'shells',
  'cli',
  'testing',
  'bundlers',
];

/** The same within `handle/`. */
const HANDLE_FLOORS = ['queue', 'call', 'endpoints', 'policies', 'routing', 'api'];

/** Rooms that only decide: time, chance and all that leaves the process come in as arguments. */
const PURE_ROOMS = ['controller', 'cluster/node', 'cluster/peers/windows', 'cluster/peers/health'];
const PURE_MODULES = new Set(['node:util']);

const MOST_FILES = 20;

/** Imports that point to a higher floor. @param floorOf −1 = none */
function upward(floorOf: (file: string) => number): string[] {
  return edges()
    .filter(([from, to]) => floorOf(from) !== -1 && floorOf(to) > floorOf(from))
    .map(([from, to]) => `${from} → ${to}`);
}

describe('the house', () => {
  test('has files', () => {
    expect(FILES.length).toBeGreaterThan(80);
  });

  test('has no circle of files, types included', () => {
    expect(circleIn(FILES, (file) => (IMPORTS.get(file) ?? []).filter((target) => IMPORTS.has(target)))).toBe(
      undefined,
    );
  });

  test.each(['bench', 'examples', 'scripts', 'sim', 'test'])(
    '%s/ has no circle of files, types included',
    (root) => {
      const files = globSync(`${root}/**/*.{ts,mjs}`, { exclude: (path) => path.includes('node_modules') });
      const imports = new Map(files.map((file) => [file, importsIn(readFileSync(file, 'utf8'), file)]));
      expect(files.length).toBeGreaterThan(0);
      expect(
        circleIn(files, (file) => (imports.get(file) ?? []).filter((target) => imports.has(target))),
      ).toBe(undefined);
    },
  );

  test.each([
    ['poolifier', ['isolation/thread/replica-pool.ts']],
    ['prom-client', ['observe/metrics.ts']],
    ['ws', ['adapters/websocket/client-socket.ts', 'wire/websocket-link.ts']],
    ['@msgpack/msgpack', ['wire/codec.ts']],
    ['ioredis', ['cluster/redis/connections.ts']],
  ])('only its own file touches %s', (name, owners) => {
    expect(FILES.filter((file) => IMPORTS.get(file)?.includes(name)).sort()).toEqual(owners);
  });

  const roomOf = (file: string): string => file.split('/')[0] ?? '';

  test('every room stands on a floor of its own', () => {
    expect(FILES.filter((file) => !FLOORS.includes(roomOf(file)))).toEqual([]);
    expect(new Set(FLOORS).size).toBe(FLOORS.length);
  });

  test('imports point downward', () => {
    expect(upward((file) => FLOORS.indexOf(roomOf(file)))).toEqual([]);
  });

  test('imports between the sub-rooms of handle/ point downward', () => {
    const floorOf = (file: string): number => {
      const [room, sub = ''] = file.split('/');
      return room === 'handle' ? HANDLE_FLOORS.indexOf(sub) : -1;
    };
    expect(FILES.filter((file) => file.startsWith('handle/') && floorOf(file) === -1)).toEqual([]);
    expect(upward(floorOf)).toEqual([]);
  });

  test('sub-rooms of one folder form no circle; with that folder itself they count as one', () => {
    const next = new Map<string, Set<string>>();
    for (const [from, to] of edges()) {
      const [a, b] = siblings(dirname(from), dirname(to));
      if (a !== undefined && b !== undefined) next.set(a, (next.get(a) ?? new Set()).add(b));
    }
    expect(next.size).toBeGreaterThan(5);
    expect(circleIn(next.keys(), (room) => next.get(room) ?? [])).toBe(undefined);
  });

  test(`no folder holds more than ${MOST_FILES} files`, () => {
    const counts = Map.groupBy(FILES, (file) => dirname(file));
    expect([...counts].filter(([, files]) => files.length > MOST_FILES).map(([folder]) => folder)).toEqual(
      [],
    );
  });

  test.each(PURE_ROOMS)('%s imports nothing that does I/O', (room) => {
    const own = FILES.filter((file) => file.startsWith(`${room}/`));
    const reached = new Set(own);
    for (const file of reached)
      for (const target of RUN_TIME_IMPORTS.get(file) ?? [])
        if (RUN_TIME_IMPORTS.has(target)) reached.add(target);
    const outside = [
      ...own.flatMap((file) => IMPORTS.get(file) ?? []),
      ...[...reached].flatMap((file) => RUN_TIME_IMPORTS.get(file) ?? []),
    ];
    expect(outside.filter((target) => !IMPORTS.has(target) && !PURE_MODULES.has(target))).toEqual([]);
  });
});

/** The sub-rooms, of the folder that two folders have in common, in which they lie; none if one lies around the other. */
function siblings(a: string, b: string): [string, string] | [] {
  const [left, right] = [a.split('/'), b.split('/')];
  const depth = left.findIndex((name, index) => name !== right[index]);
  if (depth <= 0 || right[depth] === undefined) return [];
  return [left.slice(0, depth + 1).join('/'), right.slice(0, depth + 1).join('/')];
}
