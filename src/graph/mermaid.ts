import type { BoundDeployment } from '../deployment/bound.ts';
import { type AppNode, describeGraph } from './describe-graph.ts';

/**
 * A drawing of an app as a Mermaid flowchart: the graphs as boxes with their calls, the deployments below them, solid arrows
 * for values and handles, dotted ones from a call to its deployment.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` for a value that is neither a bound deployment nor a graph
 */
export function toMermaid(app: BoundDeployment<unknown>): string {
  const { nodes, edges } = describeGraph(app);
  const ids = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const graphs = Map.groupBy(
    nodes.filter(({ route }) => route !== undefined),
    ({ deployment, route }) => `${deployment} ${route}`,
  );
  const lines = ['flowchart LR'];
  for (const node of nodes) if (node.route === undefined) lines.push(`  ${ids.get(node.id)}${shape(node)}`);
  for (const [index, [title, members]] of [...graphs].entries()) {
    lines.push(`  subgraph g${index}["${escaped(title)}"]`);
    for (const node of members) lines.push(`    ${ids.get(node.id)}${shape(node)}`);
    lines.push('  end');
  }
  for (const { from, to, kind, label } of edges) {
    const text = kind === 'value' && label !== undefined ? `|"${escaped(label)}"|` : '';
    lines.push(`  ${ids.get(from)} ${kind === 'call' ? '-.->' : '-->'}${text} ${ids.get(to)}`);
  }
  return `${lines.join('\n')}\n`;
}

function shape({ kind, deployment, calls }: AppNode): string {
  switch (kind) {
    case 'deployment':
      return `["${escaped(deployment)}"]`;
    case 'driver':
      return `{{"${escaped(deployment)}"}}`;
    case 'call':
      return `("${escaped(calls?.method === 'call' ? calls.deployment : `${calls?.deployment}.${calls?.method}`)}")`;
    default:
      return `(["${kind}"])`;
  }
}

/** Replaces characters by Mermaid's entities that would end a quoted text, or be read as Markdown or HTML. */
function escaped(text: string): string {
  return text.replaceAll(/["#&<>`\\\p{Cc}]/gu, (character) => `#${character.codePointAt(0)};`);
}
