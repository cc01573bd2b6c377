import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { context, deployment } from 'inserve';

interface Passage {
  readonly file: string;
  readonly text: string;
  readonly words: readonly string[];
}

/** Length normalization and saturation of BM25, as Lucene has them. */
const [B, K1] = [0.75, 1.2];

/** Full-text search by BM25 over the paragraphs of Markdown files, indexed once in the replica's memory. */
export class Search {
  readonly #passages: Passage[] = [];
  /** Passages that hold a word, and how often. */
  readonly #postings = new Map<string, Map<Passage, number>>();
  readonly #meanLength: number;

  constructor(directory: string) {
    for (const file of globSync('{*.md,docs/**/*.md,examples/*/*.md}', { cwd: directory })) {
      for (const text of readFileSync(join(directory, file), 'utf8').split(/\n{2,}/)) this.#add(file, text);
    }
    const length = this.#passages.reduce((sum, { words }) => sum + words.length, 0);
    this.#meanLength = length / this.#passages.length;
  }

  /** Over HTTP: one line of JSON for each find, the best first. */
  async *call(request: Request) {
    const { searchParams } = new URL(request.url);
    const { locals } = context();
    const limit = (locals as { limit: number }).limit;
    yield* this.find(searchParams.get('q') ?? '', limit);
  }

  /** From the host's own routes. */
  find(query: string, limit: number) {
    const scores = new Map<Passage, number>();
    for (const word of new Set(wordsOf(query))) {
      const found = this.#postings.get(word) ?? new Map<Passage, number>();
      const rarity = Math.log(1 + (this.#passages.length - found.size + 0.5) / (found.size + 0.5));
      for (const [passage, count] of found) {
        const length = 1 - B + (B * passage.words.length) / this.#meanLength;
        const score = (rarity * count * (K1 + 1)) / (count + K1 * length);
        scores.set(passage, (scores.get(passage) ?? 0) + score);
      }
    }
    const best = [...scores].sort(([, a], [, b]) => b - a).slice(0, limit);
    return best.map(([{ file, text }, score]) => ({ file, score: Number(score.toFixed(2)), text }));
  }

  #add(file: string, text: string): void {
    const passage = { file, text, words: wordsOf(text) };
    if (passage.words.length === 0) return;
    this.#passages.push(passage);
    for (const word of passage.words) {
      const found = this.#postings.get(word) ?? new Map<Passage, number>();
      this.#postings.set(word, found.set(passage, (found.get(passage) ?? 0) + 1));
    }
  }
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

export const search = deployment(Search, { name: 'Search', module: import.meta.url }).bind(
  join(import.meta.dirname, '..', '..'),
);
