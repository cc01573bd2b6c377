import { isMainThread } from 'node:worker_threads';
import { batch, context, type DeploymentHandle, deployment } from 'inserve';

/** Refers to itself: esbuild renames such a class. */
class Embedder {
  static made = 0;
  readonly #factor = ++Embedder.made;

  embed = batch({ maxBatchSize: 4 }, async (texts: string[]) =>
    texts.map((text) => text.length * this.#factor),
  );
}

class Search {
  readonly #embedder: DeploymentHandle<typeof Embedder>;

  constructor(embedder: DeploymentHandle<typeof Embedder>) {
    this.#embedder = embedder;
  }

  async call(request: Request) {
    const sizes = await Promise.all(['a', 'bb', 'ccc'].map((text) => this.#embedder.embed.remote(text)));
    return { sizes, query: new URL(request.url).search, by: context().deployment, isMainThread };
  }
}

export const embedder = deployment(Embedder, { name: 'Embedder' }).bind();
export const search = deployment(Search, { name: 'Search' }).bind(embedder);
