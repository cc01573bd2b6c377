/** A word-level n-gram language model: counts what follows each context of up to n−1 tokens. */

/** Words with their apostrophes and hyphens, numbers, and single marks. */
const TOKEN = /[\p{L}\p{N}]+(?:['’_-][\p{L}\p{N}]+)*|[.,;:!?()]/gu;
const CLOSING = new Set(['.', ',', ';', ':', '!', '?', ')']);
const SENTENCE_ENDS = new Set(['.', '!', '?']);

/** A context without the word that follows is this much less worth (Brants et al., "Large language models in machine translation", 2007). */
const BACK_OFF = 0.4;

export function tokenize(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** How a token is written behind another one: mostly with a space. */
export function spaced(token: string, previous: string | undefined): string {
  return previous === undefined || CLOSING.has(token) || previous === '(' ? token : ` ${token}`;
}

export interface GenerateOptions {
  /** Below 1: more likely words more often; above: less. */
  readonly temperature: number;
  /** Answers numbers from 0 to 1. */
  readonly random: () => number;
}

export class NgramModel {
  readonly #order: number;
  /** Counts of followers, by the tokens before them, joined by spaces. */
  readonly #followers = new Map<string, Map<string, number>>();
  #tokens = 0;

  /** @param order longest run of tokens that is counted: the context and the token behind it */
  constructor(order: number) {
    this.#order = order;
  }

  get contexts(): number {
    return this.#followers.size;
  }

  get tokens(): number {
    return this.#tokens;
  }

  train(text: string): void {
    const tokens = tokenize(text);
    this.#tokens += tokens.length;
    for (const [at, token] of tokens.entries()) {
      for (let length = 0; length < this.#order && length <= at; length++) {
        const context = key(tokens.slice(at - length, at));
        const followers = this.#followers.get(context) ?? new Map<string, number>();
        followers.set(token, (followers.get(token) ?? 0) + 1);
        this.#followers.set(context, followers);
      }
    }
  }

  /** Token after token, for ever; it begins where the prompt ends, or with a sentence about one of its words. */
  *generate(prompt: string, { temperature, random }: GenerateOptions): Generator<string> {
    const history = this.#opening(tokenize(prompt), random);
    yield* history.slice(-1);
    for (;;) {
      const token = this.#next(history, temperature, random);
      history.push(token);
      if (history.length > this.#order) history.shift();
      yield token;
    }
  }

  /** Probability of a token behind a context, up to a constant. */
  score(context: readonly string[], token: string): number {
    let weight = 1;
    for (let length = Math.min(this.#order - 1, context.length); length >= 0; length--) {
      const followers = this.#followers.get(key(context.slice(context.length - length)));
      const count = followers?.get(token) ?? 0;
      if (followers !== undefined && count > 0) return (weight * count) / total(followers);
      weight *= BACK_OFF;
    }
    return 0;
  }

  /** The rarest word of the prompt that the model knows says best what it is about. */
  #opening(prompt: readonly string[], random: () => number): string[] {
    const unigrams = this.#followers.get('') ?? new Map<string, number>();
    let topic: string | undefined;
    for (const word of prompt.flatMap((token) => [token, capitalized(token), token.toLowerCase()])) {
      const count = unigrams.get(word) ?? 0;
      if (count > 0 && !CLOSING.has(word) && count <= (unigrams.get(topic ?? '') ?? Infinity)) topic = word;
    }
    return [topic ?? this.#next(['.'], 1, random)];
  }

  #next(history: readonly string[], temperature: number, random: () => number): string {
    for (let length = Math.min(this.#order - 1, history.length); length >= 0; length--) {
      const followers = this.#followers.get(key(history.slice(history.length - length)));
      // One follower only would recite the text; a shorter context knows more.
      if (followers !== undefined && (followers.size > 1 || length <= 1))
        return draw(followers, temperature, random);
    }
    throw new Error('the model was not trained');
  }
}

export function endsSentence(token: string): boolean {
  return SENTENCE_ENDS.has(token);
}

function key(context: readonly string[]): string {
  return context.join(' ');
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}

function total(followers: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of followers.values()) sum += count;
  return sum;
}

/** One of them, as often as its count to the power of 1 / temperature says. */
function draw(followers: ReadonlyMap<string, number>, temperature: number, random: () => number): string {
  const weights = [...followers].map(([token, count]) => [token, count ** (1 / temperature)] as const);
  let left = random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [token, weight] of weights) {
    left -= weight;
    if (left <= 0) return token;
  }
  return weights.at(-1)?.[0] ?? '';
}
