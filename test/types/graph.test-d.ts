import {
  type BoundDag,
  type BoundDeployment,
  DAGDriver,
  type DeploymentHandle,
  type DeploymentResponse,
  type DeploymentStream,
  dag,
  deployment,
  type GraphNode,
  InputNode,
  serve,
} from 'inserve';
import type { Equal, Expect, Gives, Takes } from './expect.ts';

interface Document {
  text: string;
  tags: readonly string[];
  author?: { name: string };
  map: number;
}
declare class Tagger {
  constructor(model: string);
  tag(text: string): Promise<string[]>;
  score(text: string, tags: readonly string[], options?: { limits: [number, number] }): number;
  words(text: string): AsyncGenerator<string>;
  all(lists: { first: string[]; rest: string[][] }): Set<string>;
  anything(value: unknown): number;
  maybe(text: string | undefined): string | null;
  callback(done: () => void): void;
  with(tagger: DeploymentHandle<typeof Tagger>): string;
  _private(): void;
  fetch(request: Request): Response;
}
const tagger = deployment(Tagger).bind('en');
const normalise = deployment(function normalise(text: string): string {
  return text.trim();
});
const ready = deployment(function ready(): boolean {
  return true;
});
const input = new InputNode<Document>();

export type Nodes = [
  Expect<Equal<typeof input.text, InputNode<string>>>,
  Expect<typeof input extends GraphNode<Document> ? true : false>,
  Expect<Equal<typeof input.tags, InputNode<readonly string[]>>>,
];
const tags = tagger.tag.bind(input.text);
const stream = tagger.words.bind('a b');
export type Results = [
  Expect<Equal<typeof tags, GraphNode<string[]>>>,
  Expect<Equal<typeof stream, GraphNode<DeploymentStream<string>>>>,
];
const bound = normalise.bind();
const node = normalise.bind('a');
export type OfFunctions = [
  Expect<Equal<typeof bound, BoundDeployment<(text: string) => string>>>,
  Expect<Equal<typeof node, GraphNode<string>>>,
];
export const nothing: BoundDeployment<() => boolean> = ready.bind();

export const edges = [
  tagger.score.bind(normalise.bind(input.text), tags),
  tagger.score.bind('text', ['a', input.text], { limits: [1, 2] }),
  tagger.all.bind({ first: tags, rest: [tags, ['a', input.text]] }),
  tagger.anything.bind({ any: [input, tags] }),
  tagger.maybe.bind(undefined),
  tagger.maybe.bind(input.text),
  tagger.with.bind(tagger),
  bound.call.bind(input.text),
];

export function mistakes(): void {
  // @ts-expect-error a list where a text is needed
  tagger.tag.bind(input.tags);
  // @ts-expect-error the wrong type from another node
  tagger.tag.bind(tags);
  // @ts-expect-error a number
  tagger.tag.bind(5);
  // @ts-expect-error one argument is missing
  tagger.score.bind(input.text);
  // @ts-expect-error the wrong type, nested
  tagger.all.bind({ first: tags, rest: [[tags]] });
  // @ts-expect-error a result that may be null
  tagger.tag.bind(tagger.maybe.bind('a'));
  // @ts-expect-error a stream is no argument
  tagger.tag.bind(stream);
  // @ts-expect-error a function cannot cross a thread
  tagger.callback.bind(() => {});
  // @ts-expect-error no such method
  tagger.tog.bind('a');
  // @ts-expect-error not remote
  tagger._private.bind();
  // @ts-expect-error not remote
  tagger.fetch.bind(input);
  // @ts-expect-error no such field
  input.txt;
  // @ts-expect-error it may be absent, and has no parts then
  input.author.name;
  // @ts-expect-error the name of an array method
  input.map;
  // @ts-expect-error a placeholder has no array methods
  input.tags.map((tag: string) => tag);
  // @ts-expect-error a function takes its own arguments
  normalise.bind(5);
  // @ts-expect-error a node is no argument of a constructor
  deployment(Tagger).bind(input.text);
  // @ts-expect-error a node is no argument of a call
  serve.handle(tagger).tag.remote(input.text);
}

const short = dag((given: InputNode<[string, number]>) => tagger.tag.bind(given[0]));
export type Inferred = Expect<Equal<typeof short, BoundDag<[string, number], string[]>>>;
export const viaDriver: BoundDag<Document, string[]> = DAGDriver.bind<Document, string[]>(tags);
export const onlyInput = DAGDriver.bind<Document>(tags);
const single = dag((given: InputNode<Document>) => tagger.score.bind(given.text, given.tags));
const streamed = dag((given: InputNode<string>) => tagger.words.bind(given));
const routes = DAGDriver.bind({ '/tags': tags, '/score': tagger.score.bind(input.text, tags) });

const h = {
  short: serve.handle(short),
  single: serve.handle(single),
  streamed: serve.handle(streamed),
  routes: serve.handle(routes),
  driver: serve.handle(DAGDriver.bind(tags)),
};
export type Handles = [
  Expect<Equal<Gives<typeof h.short.predict>, DeploymentResponse<string[]>>>,
  Expect<Equal<Gives<typeof h.single.predict>, DeploymentResponse<number>>>,
  Expect<Equal<Gives<typeof h.streamed.predict>, DeploymentStream<string>>>,
  Expect<Equal<Gives<typeof h.routes.predictWithRoute>, DeploymentResponse<string[] | number>>>,
  Expect<Equal<Gives<typeof h.driver.predict>, DeploymentResponse<string[]>>>,
  Expect<Equal<Takes<typeof h.streamed.predict>, [input: string | DeploymentResponse<string>]>>,
];

export async function calls(): Promise<void> {
  const result: string[] = await h.short.predict.remote('a', 1);
  await h.short.predict.remote(['a', 1]);
  await h.single.predict.remote({ text: 'a', tags: [], map: 1 });
  await h.routes.predictWithRoute.remote('/tags', { text: 'a' });
  const handle = await serve.run(single);
  const score: number = await handle.predict.remote({ text: 'a', tags: result, map: 1 });
  serve.middleware(single);
  // @ts-expect-error the wrong input
  await h.short.predict.remote(1, 'a');
  // @ts-expect-error the wrong input
  await h.single.predict.remote({ text: 'a' });
  // @ts-expect-error a graph has no other methods
  h.short.call.remote('a', 1);
  void score;
}

declare class OfGraph {
  constructor(graph: DeploymentHandle<{ predict(document: Document): number | Promise<number> }>);
}
export const inAnother = deployment(OfGraph).bind(single);
export const inAGraph = dag((given: InputNode<Document>) => tagger.anything.bind(single.predict.bind(given)));
