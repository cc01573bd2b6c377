import { describe, expect, test } from 'vitest';
import { compileApp } from './app-spec.ts';
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
