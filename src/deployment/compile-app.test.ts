import { describe, expect, test } from 'vitest';
import { compileApp } from './compile-app.ts';
import { deployment } from './deployment.ts';

class Child {}
class Parent {
  readonly args: unknown[];

  constructor(...args: unknown[]) {
    this.args = args;
  }
}
const child = deployment(Child);
const parent = deployment(Parent);

const namesOf = (...args: unknown[]): string[] =>
  compileApp(parent.bind(...args), 'app', '1').spec.deployments.map(({ name }) => name);

describe('the spec of an app', () => {
  const policy = () => 1;
  const options = { env: { TOKEN: 'of-this-host' }, autoscaling: { maxReplicas: 3, policy } };
  const compile = () =>
    compileApp(parent.options(options).bind(child.bind(), 'an-argument'), 'app', '1', {
      autoscalingPolicy: () => ({}),
    });

  test('is plain data', () => {
    const { spec } = compile();
    expect(structuredClone(spec)).toEqual(spec);
  });

  test('holds neither arguments nor variables nor the place of the code', () => {
    const text = JSON.stringify(compile().spec);
    for (const hidden of ['of-this-host', 'an-argument', 'file:', import.meta.dirname])
      expect(text).not.toContain(hidden);
  });

  test('says which deployment holds handles to which', () => {
    expect(compile().spec.deployments.map(({ name, callees }) => [name, callees])).toEqual([
      ['Child', []],
      ['Parent', ['Child']],
    ]);
  });

  test('leaves the rest to the source', () => {
    const { source, spec } = compile();
    expect(source.deployments.map(({ fingerprint }) => fingerprint)).toEqual(
      spec.deployments.map(({ fingerprint }) => fingerprint),
    );
    expect(source.deployments[1]?.source).toMatchObject({ env: options.env, policy, exportName: 'Parent' });
  });
});

describe('compileApp finds the bound deployments in the arguments of another', () => {
  test.each<[string, (bound: unknown) => unknown]>([
    ['an argument', (bound) => bound],
    ['an array', (bound) => [1, [bound]]],
    ['an object', (bound) => ({ a: { b: bound } })],
    ['the values of a map', (bound) => new Map([['a', bound]])],
    ['the keys of a map', (bound) => new Map([[bound, 'a']])],
    ['a set', (bound) => new Set([bound])],
  ])('in %s', (_where, wrap) => {
    expect(namesOf(wrap(child.bind()))).toEqual(['Child', 'Parent']);
  });

  test('once each, however often they are bound', () => {
    const one = child.bind();
    expect(namesOf(one, [one, child.bind()])).toEqual(['Child', 'Child_1', 'Parent']);
  });

  test('in arguments that contain themselves', () => {
    const cyclic: { self?: unknown; children: unknown[] } = { children: [child.bind()] };
    cyclic.self = cyclic;
    expect(namesOf(cyclic)).toEqual(['Child', 'Parent']);
  });
});
