import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeBlocksOf } from '../../test/support/docs/code-blocks.ts';
import { type RunningExample, startExample } from '../../test/support/example.ts';
import { identify } from './language.ts';

describe('examples/text-graph', () => {
  let example: RunningExample;
  beforeAll(async () => {
    example = await startExample('text-graph');
  });
  afterAll(() => example?.[Symbol.asyncDispose]());

  const analyse = (body: unknown): Promise<Response> =>
    fetch(`${example.url}/analyse`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  test('an English text: its sentences, its mood, and what is named in it', async () => {
    const text =
      ' I love this  “little” camera. The battery was\nterrible, and it cost $450 on January 20, 2024. ';
    const answer = await analyse({ text });
    expect(answer.status).toBe(200);
    const { sentiment, ...rest } = (await answer.json()) as { sentiment: { sentences: { score: number }[] } };
    expect(rest).toEqual({
      text: 'I love this "little" camera. The battery was terrible, and it cost $450 on January 20, 2024.',
      language: { code: 'en', confidence: expect.any(Number) },
      entities: [
        { type: 'MONEY', text: '$450' },
        { type: 'DATE', text: 'January 20, 2024' },
      ],
    });
    const [happy, sad] = sentiment.sentences;
    expect(happy?.score).toBeGreaterThan(0);
    expect(sad?.score).toBeLessThan(0);
  });

  test('the text of the README is answered as it shows', async () => {
    const blocks = codeBlocksOf('examples/text-graph/README.md');
    const command = blocks.find(({ language }) => language === 'sh')?.code ?? '';
    const shown = blocks.find(({ language }) => language === 'json')?.code ?? '';
    const answer = await analyse(JSON.parse(/--json '(.*)'$/m.exec(command)?.[1] ?? ''));
    expect(await answer.json()).toEqual(JSON.parse(shown));
  });

  test('another language is told, and not judged by an English model', async () => {
    const answer = await analyse({ text: 'Das ist nicht der Film, den ich mit dir sehen wollte.' });
    expect(await answer.json()).toMatchObject({ language: { code: 'de' }, sentiment: null, entities: null });
  });

  test('what is no text is 422 with the reason, and the next request works', async () => {
    const refused = await analyse({ txt: 'a' });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ code: 'SERVE_VALIDATION', issues: [{ path: ['text'] }] });
    expect((await analyse({ text: 'The end.' })).status).toBe(200);
  });

  test('many at a time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, index) =>
        (await analyse({ text: `It is the ${index}th.` })).json(),
      ),
    );
    expect(answers.map((answer) => (answer as { text: string }).text)).toEqual(
      Array.from({ length: 50 }, (_, index) => `It is the ${index}th.`),
    );
  });

  test('a plain route calls the same graph', async () => {
    const answer = await fetch(
      `${example.url}/mood?text=${encodeURIComponent('It was a terrible, awful day.')}`,
    );
    expect(await answer.json()).toMatchObject({ mood: 'bad' });
  });

  test('a drawing of it', async () => {
    const text = await (await fetch(`${example.url}/graph`)).text();
    expect(text).toMatch(/^flowchart LR\n/);
    expect(text).toContain('("sentiment.score")');
  });
});

test.each([
  ['en', 'It is not what you think it is.'],
  ['de', 'Es ist nicht das, was du denkst.'],
  ['fr', "Ce n'est pas ce que vous pensez."],
  ['es', 'No es lo que tú piensas de mí.'],
  ['und', 'Kubernetes 42'],
])('%s: %s', (code, text) => {
  expect(identify(text).code).toBe(code);
});
