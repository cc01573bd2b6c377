import { globSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { context, type DeploymentHandle, deployment, type ServerWebSocket, sse } from 'inserve';
import { endsSentence, NgramModel, spaced } from './ngram.ts';

export interface ModelOptions {
  /** Text files to learn from, as globs from this folder. */
  readonly texts: readonly string[];
  /** How fast it speaks; large models do 20 to 60. 0 = as fast as it can. */
  readonly tokensPerSecond: number;
}

export interface ModelStats {
  readonly contexts: number;
  readonly tokens: number;
  /** Answers on their way now. */
  readonly speaking: number;
  readonly finished: number;
  /** Answers that somebody stopped. */
  readonly stopped: number;
}

/** The language model: learns when its replica starts, and answers token by token. */
export class LanguageModel {
  readonly #model = new NgramModel(4);
  readonly #pauseMs: number;
  #speaking = 0;
  #finished = 0;
  #stopped = 0;

  constructor({ texts, tokensPerSecond }: ModelOptions) {
    this.#pauseMs = tokensPerSecond === 0 ? 0 : 1_000 / tokensPerSecond;
    const here = fileURLToPath(new URL('.', import.meta.url));
    for (const file of globSync([...texts], { cwd: here }))
      this.#model.train(prose(readFileSync(new URL(file, import.meta.url), 'utf8')));
  }

  /**
   * Pieces of text, until a sentence ends after `maxTokens`. Whoever stops reading stops it: the next `yield` does not
   * come back, and `finally` runs.
   */
  async *generate(prompt: string, maxTokens = 60): AsyncGenerator<string> {
    const { signal } = context();
    let [spoken, previous]: [number, string | undefined] = [0, undefined];
    this.#speaking++;
    try {
      for (const token of this.#model.generate(prompt, { temperature: 0.8, random: Math.random })) {
        yield spaced(token, previous);
        previous = token;
        if (++spoken >= maxTokens && endsSentence(token)) break;
        if (this.#pauseMs > 0) await sleep(this.#pauseMs, undefined, { signal });
      }
      this.#finished++;
      spoken = 0;
    } finally {
      this.#speaking--;
      if (spoken > 0) this.#stopped++;
    }
  }

  stats(): ModelStats {
    const { contexts, tokens } = this.#model;
    return { contexts, tokens, speaking: this.#speaking, finished: this.#finished, stopped: this.#stopped };
  }
}

/** The ingress: one answer as server-sent events, or a conversation over a WebSocket. */
export class Chat {
  readonly #model: DeploymentHandle<typeof LanguageModel>;

  constructor(model: DeploymentHandle<typeof LanguageModel>) {
    this.#model = model;
  }

  /** `GET /?prompt=…` */
  call(request: Request): Response {
    const prompt = new URL(request.url).searchParams.get('prompt') ?? '';
    return sse(this.#answer(prompt));
  }

  /** Each message is a prompt, and `''` stops the answer; answers come piece by piece, and `''` is their end. */
  async websocket(socket: ServerWebSocket): Promise<void> {
    let answering = new AbortController();
    for await (const prompt of socket) {
      answering.abort();
      if (prompt === '') continue;
      answering = new AbortController();
      void this.#speak(socket, String(prompt), answering.signal);
    }
  }

  async #speak(socket: ServerWebSocket, prompt: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const piece of this.#model.options({ signal }).generate.remote(prompt)) {
        socket.send(piece);
        await socket.drained();
      }
      socket.send('');
    } catch (error) {
      // Stopped, or the client has left.
      if (signal.aborted || socket.readyState !== socket.OPEN) return;
      console.error(error);
      socket.close(1011);
    }
  }

  async *#answer(prompt: string): AsyncGenerator<object> {
    for await (const piece of this.#model.generate.remote(prompt)) yield { data: { piece } };
    yield { event: 'done' };
  }
}

/** Markdown without its code, tables and marks. */
function prose(markdown: string): string {
  return markdown
    .replaceAll(/```[\s\S]*?```/g, ' ')
    .replaceAll(/^\|.*$/gm, ' ')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*#>]/g, '');
}

const model = deployment(LanguageModel, { name: 'LanguageModel', module: import.meta.url });

export const languageModel = model.bind({
  texts: ['../../README.md', '../../CONTRIBUTING.md', '../../docs/**/*.md', '../*/README.md'],
  tokensPerSecond: Number(process.env['TOKENS_PER_SECOND'] ?? 25),
});
export const chat = deployment(Chat, { name: 'Chat', maxOngoingRequests: 100, module: import.meta.url }).bind(
  languageModel,
);
