import { createServe, dag, type InputNode } from 'inserve';
import { direct, relayed, stage } from './deployments.ts';
import { serveRelays } from './relay.ts';
import type { Item, Session } from './session.ts';

/** Three stages with a thread each, as separate deployments. */
const threeStages = () => [1, 2, 3].map((number) => stage.options({ name: `Stage${number}` }).bind());

export const IMPLEMENTATIONS: Readonly<Record<string, () => Promise<Session>>> = {
  async 'one call'() {
    const serve = createServe();
    const handle = await serve.run(stage.bind());
    return { pass: (item) => handle.pass.remote(item), close: () => serve.close() };
  },

  /** Three nodes in a row that call one replica: what the graph costs over its calls, and nothing else. */
  async 'three nodes'() {
    const serve = createServe();
    const bound = stage.bind();
    const handle = await serve.run(
      dag((input: InputNode<Item>) => bound.pass.bind(bound.pass.bind(bound.pass.bind(input)))),
    );
    return { pass: (item) => handle.predict.remote(item), close: () => serve.close() };
  },

  /** Three nodes in a row with a thread each. */
  async 'three deployments'() {
    const serve = createServe();
    const [first, second, third] = threeStages();
    if (first === undefined || second === undefined || third === undefined) throw new Error('three stages');
    const pass = dag((input: InputNode<Item>) => third.pass.bind(second.pass.bind(first.pass.bind(input))));
    const frame = dag((input: InputNode<number>) =>
      third.size.bind(second.scale.bind(first.grow.bind(input))),
    );
    const passing = await serve.run(pass, { name: 'pass' });
    const framing = await serve.run(frame, { name: 'frame', routePrefix: null });
    return {
      pass: (item) => passing.predict.remote(item),
      frame: (bytes) => framing.predict.remote(bytes),
      close: () => serve.close(),
    };
  },

  /** The calls of `three deployments`, written by hand on the host. */
  async 'by hand'() {
    const serve = createServe();
    const [first, second, third] = await Promise.all(
      threeStages().map((bound, index) => serve.run(bound, { name: `app${index}`, routePrefix: null })),
    );
    if (first === undefined || second === undefined || third === undefined) throw new Error('three stages');
    return {
      pass: async (item) => await third.pass.remote(await second.pass.remote(await first.pass.remote(item))),
      frame: async (bytes) =>
        await third.size.remote(await second.scale.remote(await first.grow.remote(bytes))),
      close: () => serve.close(),
    };
  },

  async direct() {
    const serve = createServe();
    const handle = await serve.run(direct.bind(stage.bind()));
    return { pass: (item) => handle.pass.remote(item), close: () => serve.close() };
  },

  async relayed() {
    const serve = createServe();
    const callee = await serve.run(stage.bind(), { routePrefix: null });
    serveRelays((item) => callee.pass.remote(item as Item));
    const handle = await serve.run(relayed.bind());
    return { pass: (item) => handle.pass.remote(item), close: () => serve.close() };
  },
};
