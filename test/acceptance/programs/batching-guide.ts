import { type Batched, batch, context, deployment, END_OF_STREAM } from '../../../src/index.ts';

export interface BatchingConfig {
  maxBatchSize: number;
  batchWaitTimeoutMs: number;
}

/** A vectorised model: it doubles a list as fast as one number. The batch is set by its user config. */
export class Model {
  predict: Batched<number, Promise<{ value: number; batch: number }>> = batch(
    { maxBatchSize: 8, batchWaitTimeoutMs: 100 },
    async (samples: number[]) => samples.map((sample) => ({ value: sample * 2, batch: samples.length })),
  );

  async call(request: Request): Promise<{ value: number; batch: number }> {
    return await this.predict(Number(await request.text()));
  }

  reconfigure({ maxBatchSize, batchWaitTimeoutMs }: BatchingConfig): void {
    this.predict.setMaxBatchSize(maxBatchSize);
    this.predict.setBatchWaitTimeoutMs(batchWaitTimeoutMs);
  }
}

export const model = deployment(Model, { maxOngoingRequests: 64 });

/** Streams for several callers from one run: each asked for another number of words. */
export class StreamingResponder {
  generate: Batched<number, AsyncIterable<string>> = batch(
    { maxBatchSize: 5, batchWaitTimeoutMs: 50 },
    async function* (limits: number[]) {
      for (let word = 0; word < Math.max(...limits); word++) {
        yield limits.map((limit) => (word < limit ? `${word} ` : END_OF_STREAM));
      }
    },
  );

  async call(request: Request): Promise<Response> {
    const words = this.generate(Number(new URL(request.url).searchParams.get('max')));
    return new Response(ReadableStream.from(encoded(words)), { headers: { 'content-type': 'text/plain' } });
  }
}

async function* encoded(words: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const word of words) yield new TextEncoder().encode(word);
}

export const responder = deployment(StreamingResponder);

export interface Graph {
  nodes: number;
}

/** Batches by weight: graphs of at most 100 nodes together. */
export class GraphNeuralNetwork {
  predict: Batched<Graph, Promise<{ nodes: number; together: number; callers: number }>> = batch(
    { maxBatchSize: 100, batchWaitTimeoutMs: 50, sizeOf: ({ nodes }: Graph) => nodes },
    async (graphs: Graph[]) => {
      const together = graphs.reduce((sum, { nodes }) => sum + nodes, 0);
      const callers = context().items?.length ?? 0;
      return graphs.map(({ nodes }) => ({ nodes, together, callers }));
    },
  );
}

export const network = deployment(GraphNeuralNetwork);
