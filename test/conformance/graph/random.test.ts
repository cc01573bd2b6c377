import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAGDriver, type GraphNode, InputNode } from '../../../src/index.ts';
import { mix, op } from '../../fixtures/graphs/graph.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';

/** Where an argument of a random node comes from. `back` counts the nodes before it. */
type Edge =
  | { kind: 'value'; value: unknown }
  | { kind: 'input'; field: 'a' | 'b' }
  | { kind: 'node'; back: number }
  | { kind: 'list'; items: Edge[] }
  | { kind: 'record'; items: Record<string, Edge> };

const edges = fc.letrec<{ edge: Edge }>((tie) => ({
  edge: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('value' as const), value: fc.jsonValue({ maxDepth: 1 }) }),
    fc.record({ kind: fc.constant('input' as const), field: fc.constantFrom('a' as const, 'b' as const) }),
    fc.record({ kind: fc.constant('node' as const), back: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('node' as const), back: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('list' as const), items: fc.array(tie('edge'), { maxLength: 3 }) }),
    fc.record({
      kind: fc.constant('record' as const),
      items: fc.dictionary(fc.string({ maxLength: 4 }), tie('edge'), { maxKeys: 2, noNullPrototype: true }),
    }),
  ),
})).edge;
const graphs = fc.array(fc.array(edges, { maxLength: 3 }), { minLength: 1, maxLength: 9 });

/** The value of an edge, as whoever builds from it sees the input and the nodes. */
function follow<T>(
  edge: Edge,
  at: number,
  input: (field: 'a' | 'b') => T,
  node: (index: number) => T,
): unknown {
  const inner = (item: Edge): unknown => follow(item, at, input, node);
  switch (edge.kind) {
    case 'value':
      return edge.value;
    case 'input':
      return input(edge.field);
    case 'node':
      return at - edge.back < 0 ? null : node(at - edge.back);
    case 'list':
      return edge.items.map(inner);
    case 'record':
      return Object.fromEntries(Object.entries(edge.items).map(([key, item]) => [key, inner(item)]));
  }
}

/** The nodes that the last one needs, itself included. */
function needed(graph: Edge[][]): Set<number> {
  const found = new Set<number>();
  const visit = (at: number): void => {
    if (found.has(at)) return;
    found.add(at);
    for (const edge of graph[at] ?? []) follow(edge, at, () => undefined, visit);
  };
  visit(graph.length - 1);
  return found;
}

test('random graphs: the result of plain evaluation, and each node that is needed exactly once', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const bound = op.bind(shared.buffer);
  await fc.assert(
    fc.asyncProperty(graphs, fc.record({ a: fc.integer(), b: fc.string() }), async (graph, given) => {
      const input = new InputNode<{ a: number; b: string }>();
      const nodes: GraphNode<number>[] = [];
      const values: number[] = [];
      for (const [at, args] of graph.entries()) {
        const from = args.map((edge) =>
          follow<unknown>(
            edge,
            at,
            (field) => input[field],
            (index) => nodes[index],
          ),
        );
        nodes.push(bound.mix.bind(at, ...from));
        const plain = args.map((edge) =>
          follow<unknown>(
            edge,
            at,
            (field) => given[field],
            (index) => values[index],
          ),
        );
        values.push(mix(at, plain));
        shared.set(at, 0);
      }
      const handle = await serve.run(DAGDriver.bind(nodes.at(-1) as GraphNode<number>), { name: 'random' });
      expect(await handle.predict.remote(given)).toBe(values.at(-1));
      const wanted = needed(graph);
      for (const at of graph.keys()) expect(shared.get(at), `node ${at}`).toBe(wanted.has(at) ? 1 : 0);
    }),
    { numRuns: 80, seed: 71 },
  );
});
