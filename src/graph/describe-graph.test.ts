import { describe, expect, test } from 'vitest';
import { chooser, combine, model, sum } from '../../test/fixtures/graphs/graph.ts';
import { DAGDriver, dag, describeGraph, InputNode, toMermaid } from '../index.ts';

const pipeline = dag((input: InputNode<{ text: number; 'a b': number[] }>) => {
  const first = model.bind(1).forward.bind(input.text);
  return combine.bind(first, sum.bind([first, 2, input['a b'][0]]), { output: 1 });
});

/** Every line of a flowchart that we write is one of these, and every arrow ends at nodes that are there. */
function check(text: string): void {
  const quoted = String.raw`"(?:[^"#&<>\x60\\\p{Cc}]|#\d+;)*"`;
  const forms = [
    /^flowchart LR$/u,
    new RegExp(String.raw` {2}subgraph g\d+\[${quoted}\]`, 'u'),
    /^ {2}end$/u,
    new RegExp(
      String.raw`^ {2,4}(?<made>n\d+)(?:\[${quoted}\]|\{\{${quoted}\}\}|\(${quoted}\)|\(\[${quoted}\]\))$`,
      'u',
    ),
    new RegExp(String.raw`^ {2}(?<from>n\d+) (?:-->(?:\|${quoted}\|)?|-\.->) (?<to>n\d+)$`, 'u'),
  ];
  const made = new Set<string | undefined>();
  const used = new Set<string | undefined>();
  for (const line of text.trimEnd().split('\n')) {
    const match = forms.map((form) => form.exec(line)).find((found) => found !== null);
    expect(match, line).toBeDefined();
    const { made: node, from, to } = match?.groups ?? {};
    if (node !== undefined) made.add(node);
    if (from !== undefined) used.add(from).add(to);
  }
  expect([...used].filter((node) => !made.has(node))).toEqual([]);
}

describe('describeGraph', () => {
  test('a graph: its deployments, its calls, and what goes where', () => {
    const { ingress, nodes, edges } = describeGraph(pipeline);
    expect(ingress).toBe('DAGDriver');
    expect(nodes.map(({ id, kind }) => `${kind} ${id}`)).toEqual([
      'deployment Model',
      'deployment sum',
      'deployment combine',
      'driver DAGDriver',
      'input DAGDriver/#input',
      'call DAGDriver/#0',
      'call DAGDriver/#1',
      'call DAGDriver/#2',
      'output DAGDriver/#output',
    ]);
    expect(nodes[5]).toEqual({
      id: 'DAGDriver/#0',
      kind: 'call',
      deployment: 'DAGDriver',
      route: '/',
      calls: { deployment: 'Model', method: 'forward' },
    });
    expect(edges.map(({ from, to, kind, label = '' }) => `${kind} ${from} → ${to}: ${label}`)).toEqual([
      'route DAGDriver → DAGDriver/#input: /',
      'value DAGDriver/#input → DAGDriver/#0: input.text → arg 0',
      'call DAGDriver/#0 → Model: ',
      'value DAGDriver/#0 → DAGDriver/#1: arg 0[0]',
      'value DAGDriver/#input → DAGDriver/#1: input["a b"][0] → arg 0[2]',
      'call DAGDriver/#1 → sum: ',
      'value DAGDriver/#0 → DAGDriver/#2: arg 0',
      'value DAGDriver/#1 → DAGDriver/#2: arg 1',
      'call DAGDriver/#2 → combine: ',
      'value DAGDriver/#2 → DAGDriver/#output: ',
    ]);
  });

  test('it is plain data', () => {
    const description = describeGraph(pipeline);
    expect(JSON.parse(JSON.stringify(description))).toEqual(description);
  });

  test('an app without a graph: the handles between its deployments', () => {
    const small = model.bind(1);
    expect(describeGraph(chooser.bind(small, small))).toEqual({
      ingress: 'Chooser',
      nodes: [
        { id: 'Model', kind: 'deployment', deployment: 'Model' },
        { id: 'Chooser', kind: 'deployment', deployment: 'Chooser' },
      ],
      edges: [{ from: 'Chooser', to: 'Model', kind: 'handle' }],
    });
  });

  test('what is no app is refused', () => {
    expect(() => describeGraph(model as never)).toThrow(/describeGraph\(app\).*call \.bind\(\) on it/);
  });
});

describe('toMermaid', () => {
  test('a graph', () => {
    const text = toMermaid(pipeline);
    check(text);
    expect(text).toMatchInlineSnapshot(`
      "flowchart LR
        n0["Model"]
        n1["sum"]
        n2["combine"]
        n3{{"DAGDriver"}}
        subgraph g0["DAGDriver /"]
          n4(["input"])
          n5("Model.forward")
          n6("sum")
          n7("combine")
          n8(["output"])
        end
        n3 --> n4
        n4 -->|"input.text → arg 0"| n5
        n5 -.-> n0
        n5 -->|"arg 0[0]"| n6
        n4 -->|"input[#34;a b#34;][0] → arg 0[2]"| n6
        n6 -.-> n1
        n5 -->|"arg 0"| n7
        n6 -->|"arg 1"| n7
        n7 -.-> n2
        n7 --> n8
      "
    `);
  });

  test('routes, shared deployments, handles and a graph in a graph', () => {
    const input = new InputNode<number>();
    const small = model.bind(1);
    const text = toMermaid(
      DAGDriver.bind({
        '/small': small.forward.bind(input),
        '/any': chooser.bind(small, model.bind(2)).choose.bind(input),
        '/nested': combine.bind(pipeline.predict.bind({ text: 1, 'a b': [1] }), 2, { output: 1 }),
      }),
    );
    check(text);
    expect(text).toMatchInlineSnapshot(`
      "flowchart LR
        n0["Model"]
        n1["Model_1"]
        n2["Chooser"]
        n3["Model_2"]
        n4["sum"]
        n5["combine"]
        n6{{"DAGDriver"}}
        n12{{"DAGDriver_1"}}
        subgraph g0["DAGDriver /"]
          n7(["input"])
          n8("Model_2.forward")
          n9("sum")
          n10("combine")
          n11(["output"])
        end
        subgraph g1["DAGDriver_1 /small"]
          n13(["input"])
          n14("Model.forward")
          n15(["output"])
        end
        subgraph g2["DAGDriver_1 /any"]
          n16(["input"])
          n17("Chooser.choose")
          n18(["output"])
        end
        subgraph g3["DAGDriver_1 /nested"]
          n19(["input"])
          n20("DAGDriver.predict")
          n21("combine")
          n22(["output"])
        end
        n2 --> n0
        n2 --> n1
        n6 --> n7
        n7 -->|"input.text → arg 0"| n8
        n8 -.-> n3
        n8 -->|"arg 0[0]"| n9
        n7 -->|"input[#34;a b#34;][0] → arg 0[2]"| n9
        n9 -.-> n4
        n8 -->|"arg 0"| n10
        n9 -->|"arg 1"| n10
        n10 -.-> n5
        n10 --> n11
        n12 --> n13
        n13 -->|"input → arg 0"| n14
        n14 -.-> n0
        n14 --> n15
        n12 --> n16
        n16 -->|"input → arg 0"| n17
        n17 -.-> n2
        n17 --> n18
        n12 --> n19
        n20 -.-> n6
        n20 -->|"arg 0"| n21
        n21 -.-> n5
        n21 --> n22
      "
    `);
  });

  test('names that mean something to Mermaid', () => {
    const input = new InputNode<Record<string, number>>();
    const text = toMermaid(
      DAGDriver.bind({ '/"]-->`<b>': sum.bind([input['"#end\n'] as InputNode<number>]) }),
    );
    check(text);
    expect(text).toContain('input[#34;#92;#34;#35;end#92;n#34;]');
  });
});
