import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Imports of a source file: other files of `src/` as paths from there, packages by name. */
function importsOf(file: string): string[] {
  const source = readFileSync(join('src', file), 'utf8');
  const found = [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    ([, specifier]) => specifier ?? '',
  );
  return found.map((specifier) =>
    specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier,
  );
}

/** What an import costs at run time: types are gone by then. */
function runTimeImportsOf(file: string): string[] {
  const source = readFileSync(join('src', file), 'utf8').replaceAll(/^(?:import|export) type [^;]+;/gms, '');
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, specifier]) =>
    normalize(join(dirname(file), specifier ?? '')),
  );
}

const FILES = globSync('**/*.ts', { cwd: 'src' }).filter((file) => !file.endsWith('.test.ts'));

describe('the house', () => {
  test('has files', () => {
    expect(FILES.length).toBeGreaterThan(80);
  });

  test('has no circle', () => {
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) expect.fail([...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file)) return;
      for (const next of runTimeImportsOf(file)) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of FILES) visit(file, []);
  });

  test.each([
    ['poolifier', ['isolation/thread/replica-pool.ts']],
    ['prom-client', ['observe/metrics.ts']],
    ['ws', ['adapters/websocket/client-socket.ts']],
  ])('only its own file touches %s', (name, owners) => {
    expect(FILES.filter((file) => importsOf(file).includes(name))).toEqual(owners);
  });

  /** From the ground up: a folder imports itself and what stands before it. */
  const FLOORS = [
    ['node-version.ts'],
    ['errors.ts'],
    ['validation'],
    ['input', 'openapi'],
    ['time', 'tracing'],
    ['values'],
    ['load'],
    ['channel'],
    // Rooms that a call passes on its way from a handle into user code; they are open to each other until their seams are cut.
    [
      'handle',
      'batching',
      'user-metrics',
      'deployment',
      'replica',
      'graph',
      'controller',
      'observe',
      'isolation',
    ],
    ['instance'],
    ['adapters'],
    ['serve.ts'],
    ['default-serve.ts'],
    ['index.ts'],
    ['shells'],
  ];
  const floorOf = (file: string): number => {
    const room = file.split('/')[0] ?? '';
    return FLOORS.findIndex((rooms) => rooms.includes(room));
  };

  test('every room stands on a floor', () => {
    expect(FILES.filter((file) => floorOf(file) === -1)).toEqual([]);
  });

  test('imports point downward', () => {
    const upward = FILES.flatMap((file) =>
      importsOf(file)
        .filter((target) => FILES.includes(target) && floorOf(target) > floorOf(file))
        .map((target) => `${file} → ${target}`),
    );
    expect(upward).toEqual([]);
  });
});
