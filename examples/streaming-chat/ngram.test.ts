import { describe, expect, test } from 'vitest';
import { NgramModel, spaced, tokenize } from './ngram.ts';

const TEXT = 'The cat sat. The cat ran. The dog sat. A bird sang.';

function take(model: NgramModel, prompt: string, count: number, random = () => 0.5): string[] {
  const tokens: string[] = [];
  for (const token of model.generate(prompt, { temperature: 1, random })) {
    tokens.push(token);
    if (tokens.length === count) break;
  }
  return tokens;
}

describe('an n-gram model', () => {
  const model = new NgramModel(3);
  model.train(TEXT);

  test('counts: the longest known context decides, shorter ones are worth less', () => {
    expect(model.tokens).toBe(16);
    expect(model.score(['The'], 'cat')).toBeCloseTo(2 / 3);
    expect(model.score(['The', 'cat'], 'sat')).toBe(0.5);
    // Never behind "dog": what is known of it alone, at 0.4 for each word that was left out.
    expect(model.score(['The', 'dog'], 'cat')).toBeCloseTo(0.4 * 0.4 * (2 / 16));
    expect(model.score(['The'], 'unicorn')).toBe(0);
  });

  test('begins with the rarest known word of the prompt, and says only what may follow', () => {
    expect(take(model, 'what about the BIRD?', 3)).toEqual(['bird', 'sang', '.']);
    for (const random of [() => 0, () => 0.3, () => 0.999]) {
      const tokens = ['.', ...take(model, 'unknown', 50, random)];
      for (const [at, token] of tokens.entries()) {
        if (at > 1) expect(model.score(tokens.slice(at - 1, at), token)).toBeGreaterThan(0.1);
      }
    }
  });

  test('cold, it says the likeliest', () => {
    const cold = model.generate('The', { temperature: 0.01, random: () => 0.9 });
    expect([cold.next().value, cold.next().value]).toEqual(['The', 'cat']);
  });

  test('marks stand where they belong', () => {
    const text = "It's (really) 3-fold: yes.";
    let written = '';
    let previous: string | undefined;
    for (const token of tokenize(text)) {
      written += spaced(token, previous);
      previous = token;
    }
    expect(written).toBe(text);
  });
});
