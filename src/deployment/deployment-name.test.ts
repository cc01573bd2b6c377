import { describe, expect, test } from 'vitest';
import { deploymentName, looksMinified } from './deployment-name.ts';

describe('the name of a deployment', () => {
  test('is the one that is given, else that of its class or function', () => {
    expect(deploymentName('Given', class Embedder {})).toBe('Given');
    expect(deploymentName(undefined, class Embedder {})).toBe('Embedder');
    expect(deploymentName(undefined, function embed() {})).toBe('embed');
  });

  test.each([
    ['class', class {}, '""'],
    ['function', () => {}, '""'],
    ['class', class Embedder$1 {}, '"Embedder$1"'],
  ])('that a %s does not have is asked for, with the likely cause', (kind, target, name) => {
    expect(() => deploymentName(undefined, target)).toThrow(
      expect.objectContaining({
        code: 'SERVE_INVALID_OPTION',
        message:
          `deployment.name: got ${name}; allowed: letters, digits, _ and -, at most 64. No \`name\` is given, and this is ` +
          `the name of the ${kind} itself: it is anonymous, or a bundler or minifier has removed or changed its name. ` +
          "Write deployment(Embedder, { name: 'Embedder' }), with the name of your own class or function",
      }),
    );
  });

  test('looks minified if a tool has changed it', () => {
    expect(['o', 'xe', '_Embedder'].map(looksMinified)).toEqual([true, true, true]);
    expect(['Embedder', 'Llm', 'embed_text'].map(looksMinified)).toEqual([false, false, false]);
  });
});
