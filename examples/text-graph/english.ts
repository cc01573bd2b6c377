import type { Detail, WinkMethods } from 'wink-nlp';
import type { Language } from './language.ts';

export interface Sentiment {
  /** From −1 (negative) to 1 (positive), with negation seen to. */
  readonly score: number;
  readonly sentences: readonly { readonly text: string; readonly score: number }[];
}

export interface Entity {
  /** Such as `DATE`, `MONEY`, `EMAIL`, `URL`, `DURATION`, `HASHTAG`. */
  readonly type: string;
  readonly text: string;
}

/** The language model with the parts of the pipeline that are needed. Loaded by the replicas only: 150 ms, 50 MB. */
async function loadModel(pipe: string[]): Promise<WinkMethods> {
  const [{ default: winkNLP }, { default: model }] = await Promise.all([
    import('wink-nlp'),
    import('wink-eng-lite-web-model'),
  ]);
  return winkNLP(model, pipe);
}

export class SentimentModel {
  readonly #nlp: WinkMethods;

  private constructor(nlp: WinkMethods) {
    this.#nlp = nlp;
  }

  static async create(): Promise<SentimentModel> {
    return new SentimentModel(await loadModel(['sbd', 'negation', 'sentiment']));
  }

  /** Null for another language than English. */
  score(text: string, { code }: Language): Sentiment | null {
    if (code !== 'en') return null;
    const { its } = this.#nlp;
    const doc = this.#nlp.readDoc(text);
    const scores = doc.sentences().out(its.sentiment) as unknown as number[];
    const sentences = doc.sentences().out();
    return {
      score: rounded(doc.out(its.sentiment) as unknown as number),
      sentences: sentences.map((sentence, index) => ({ text: sentence, score: rounded(scores[index] ?? 0) })),
    };
  }
}

export class EntityModel {
  readonly #nlp: WinkMethods;

  private constructor(nlp: WinkMethods) {
    this.#nlp = nlp;
  }

  static async create(): Promise<EntityModel> {
    return new EntityModel(await loadModel(['sbd', 'ner']));
  }

  /** Null for another language than English. */
  find(text: string, { code }: Language): Entity[] | null {
    if (code !== 'en') return null;
    const details = this.#nlp.readDoc(text).entities().out(this.#nlp.its.detail) as unknown as Detail[];
    return details.map(({ type, value }) => ({ type, text: value }));
  }
}

function rounded(score: number): number {
  return Number(score.toFixed(3));
}
