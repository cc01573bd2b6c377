/** Words that carry grammar, not meaning: every text of some length has them, whatever it is about. */
const FUNCTION_WORDS = {
  en: 'the of and to in is that it was for on are with as his they be at have this from or had by but not what all were we when your can said there an which she do how their if will up about out many then them these so some her would make like him into has more no my than been who its now did get I you he a me am our us too very just because while after before here only where why again off over such own don',
  de: 'der die das und in zu den von mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei ich du wir ihr mein dein kein wenn was wo hier sehr schon immer mich mir dich uns',
  fr: 'le la les de des du et en un une est que qui dans pour pas sur plus par ce il elle au aux avec se ne sont son sa ses ou mais comme nous vous ils elles leur on cette ces été être avoir fait tout très bien même aussi sans si je tu moi mon ma mes ton ta tes notre votre y où ici quand donc alors',
  es: 'el la los las de que y en un una es por con no para se del al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos e esto mí antes algunos qué unos yo otro otras él tanto esa estos mucho ser soy eres somos mi tu te',
} as const;

export type LanguageCode = keyof typeof FUNCTION_WORDS;

export interface Language {
  /** ISO 639-1; `und` where the text is too short, or in none of the languages. */
  readonly code: LanguageCode | 'und';
  /** Share of the known function words that are this language's, from 0 to 1. */
  readonly confidence: number;
}

const CODES = Object.keys(FUNCTION_WORDS) as LanguageCode[];
const WORDS = new Map(
  CODES.map((code) => [code, new Set(FUNCTION_WORDS[code].toLowerCase().split(' '))] as const),
);

/** Tells the language of a text by its function words. Names, code and single words are not enough: `und`. */
export function identify(text: string): Language {
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  const hits = CODES.map((code) => words.filter((word) => WORDS.get(code)?.has(word)).length);
  const most = Math.max(...hits);
  if (most === 0) return { code: 'und', confidence: 0 };
  const total = hits.reduce((sum, count) => sum + count, 0);
  const code = CODES[hits.indexOf(most)] ?? 'und';
  const isTie = hits.filter((count) => count === most).length > 1;
  return { code: isTie ? 'und' : code, confidence: Number((most / total).toFixed(3)) };
}
