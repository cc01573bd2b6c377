import { dag, deployment, type InputNode } from 'inserve';
import { z } from 'zod';
import { type Entity, EntityModel, type Sentiment, SentimentModel } from './english.ts';
import { identify, type Language } from './language.ts';

/** Small functions run inline, on the thread of the app: a thread of their own would cost more than they do. */
const inline = { isolation: 'inline', module: import.meta.url } as const;

/** One way to write everything: composed characters, plain quotes and single spaces. */
const normalise = deployment(
  function normalise(text: string): string {
    const quoted = text.normalize('NFKC').replaceAll(/[‘’‚]/g, "'").replaceAll(/[“”„]/g, '"');
    return quoted.replaceAll(/\s+/g, ' ').trim();
  },
  { ...inline, name: 'normalise' },
);

const language = deployment(identify, { ...inline, name: 'language' });

// A language model each, in a thread each.
const sentiment = deployment(SentimentModel, { name: 'sentiment', module: import.meta.url }).bind();
const entities = deployment(EntityModel, { name: 'entities', module: import.meta.url }).bind();

export interface Analysis {
  readonly text: string;
  readonly language: Language;
  readonly sentiment: Sentiment | null;
  readonly entities: readonly Entity[] | null;
}

const combine = deployment(
  function combine(parts: Analysis): Analysis {
    return parts;
  },
  { ...inline, name: 'combine' },
);

/** What a client may send. Anything else is 422. */
const Input = z.object({ text: z.string().min(1).max(20_000) });

export const analyse = dag(
  (input: InputNode<{ text: string }>) => {
    const text = normalise.bind(input.text); // runs once, though four nodes need it
    const identified = language.bind(text);
    return combine.bind({
      text,
      language: identified,
      sentiment: sentiment.score.bind(text, identified), // these two run
      entities: entities.find.bind(text, identified), // at the same time
    });
  },
  { httpAdapter: Input },
);
