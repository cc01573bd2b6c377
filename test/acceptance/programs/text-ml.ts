import { type DeploymentHandle, deployment } from '../../../src/index.ts';

const GREETINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  german: { hello: 'hallo', world: 'welt', good: 'gut', morning: 'morgen' },
  french: { hello: 'bonjour', world: 'monde', good: 'bon', morning: 'matin' },
  romanian: { hello: 'salut', world: 'lume', good: 'bun', morning: 'dimineață' },
};

/** Translates word by word; which language is a matter of its user config. */
export class Translator {
  #words: Readonly<Record<string, string>> = {};

  reconfigure({ language }: { language: string }): void {
    const words = GREETINGS[language];
    if (words === undefined) throw new RangeError(`no words of '${language}'`);
    this.#words = words;
  }

  translate(text: string): string {
    return text.replaceAll(/\w+/g, (word) => this.#words[word] ?? word);
  }
}

/** Keeps the first words of a text, and has them translated. */
export class Summarizer {
  readonly #translator: DeploymentHandle<typeof Translator>;
  #length = 2;

  constructor(translator: DeploymentHandle<typeof Translator>) {
    this.#translator = translator;
  }

  reconfigure({ length }: { length: number }): void {
    this.#length = length;
  }

  async call(request: Request): Promise<string> {
    const words = (await request.text()).split(' ').slice(0, this.#length);
    return await this.#translator.translate.remote(words.join(' '));
  }
}

const translator = deployment(Translator, { userConfig: { language: 'german' } });

export const textApp = deployment(Summarizer).bind(translator.bind());
